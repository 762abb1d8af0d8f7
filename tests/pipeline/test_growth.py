"""A larger budget never asks for what would make useless what a later stage has bought."""

from dataclasses import replace
from pathlib import Path

import pytest

from db3kd.acquisition import Margin, Rounds
from db3kd.errors import RunMismatch
from db3kd.pipeline.budget import Budget
from db3kd.pipeline.story import FixedLesson, Story
from db3kd.pipeline.tell import Purchase, buy, foretell
from db3kd.pools import ImagePool
from db3kd.runs import Run
from db3kd.softening import Inverse, Opinions
from db3kd.training import Recipe
from known_teachers import Constant, Counting
from made_runs import (
    BD,
    GUIDED,
    MEMBERS,
    SHAPE,
    STUDENT,
    Small,
    images,
    keeper_of,
    parts_of,
    spent,
    stories,
    story,
    untouched,
)

MIXING = replace(MEMBERS, mixtures_per_image=1.0)
MIXED = FixedLesson(Opinions(), mixtures=True)


def _kinds(teacher: Small) -> dict[str, Story]:
    return {
        "distances": story(teacher, measurement=BD, lesson=FixedLesson(Inverse())),
        "mixtures": story(teacher, committee=MIXING, lesson=MIXED),
        "guided": story(teacher, measurement=GUIDED, committee=MIXING, lesson=MIXED),
    }


def _buy(described: Story, folder: Path) -> Purchase:
    with Run(folder) as run:
        return buy(described, keeper_of(run))


def _refused(described: Story, folder: Path, named: str) -> None:
    """Refused in the dry run and before a query, and the folder is as it was."""
    before, rows = parts_of(folder), spent(folder)
    with Run(folder) as run:
        declared = keeper_of(run).declared()
        with pytest.raises(RunMismatch, match=f"{named}.*Nothing was changed or spent: leave budget"):
            foretell(described, keeper_of(run))
    with pytest.raises(RunMismatch, match=named):
        _buy(replace(described, teacher=untouched(described.teacher)), folder)
    assert (parts_of(folder), spent(folder)) == (before, rows)
    with Run(folder) as run:
        assert keeper_of(run).declared() == declared


@pytest.mark.parametrize(
    ("kind", "by"),
    [("distances", "images"), ("distances", "answers"), ("mixtures", "total"), ("guided", "images")],
)
def test_more_answers_are_refused_once_they_were_built_upon_and_the_run_stays_as_it_was(
    tmp_path: Path, kind: str, by: str
) -> None:
    def budget(number: int) -> Budget:
        if by == "total":
            # More than the answers is left, and the total is less than the pool.
            return Budget(number + 30, stages={"answers": number}, repeats=0)
        return Budget(repeats=0, **({"images": number} if by == "images" else {"stages": {"answers": number}}))

    teacher = Small()
    described = replace(_kinds(teacher)[kind], budget=budget(16))
    _buy(described, tmp_path)
    before = parts_of(tmp_path)
    for number in (20, 24):
        named = r"up to \d more questions for 'answers', and what it has bought for '(mixtures|distances)'"
        _refused(replace(described, budget=budget(number)), tmp_path, named)
    _buy(replace(described, teacher=untouched(teacher)), tmp_path)
    assert parts_of(tmp_path) == before
    assert teacher.rows == spent(tmp_path)


@pytest.mark.parametrize("later", ["mixtures", "distances"])
def test_a_journal_of_the_later_stage_counts_as_well(tmp_path: Path, later: str) -> None:
    teacher = Small()
    kind = "mixtures" if later == "mixtures" else "distances"
    described = replace(_kinds(teacher)[kind], budget=Budget(images=16, stages={later: 10}, repeats=0))
    _buy(described, tmp_path)
    assert not list(tmp_path.glob(f"{later}*/*.safetensors")) + list(tmp_path.glob(f"{later}.safetensors"))
    _refused(replace(described, budget=replace(described.budget, images=24)), tmp_path, "for 'answers'.*" + later)
    _buy(replace(described, teacher=untouched(teacher)), tmp_path)


@pytest.mark.parametrize("total", [None, 150])
def test_more_mixtures_are_refused_where_they_taught_what_guides_a_search(tmp_path: Path, total: int | None) -> None:
    teacher = Small()
    mixing = replace(MEMBERS, mixtures_per_image=2.0)
    described = story(teacher, measurement=GUIDED, committee=mixing, lesson=MIXED)
    described = replace(described, budget=Budget(total, stages={"mixtures": 20}, repeats=0))
    _buy(described, tmp_path)
    raised = replace(described, budget=Budget(total, stages={"mixtures": 48}, repeats=0))
    _refused(raised, tmp_path, r"for 'mixtures', and what it has bought for 'distances'")
    _buy(replace(described, teacher=untouched(teacher)), tmp_path)


def test_where_no_search_is_guided_more_mixtures_are_asked(tmp_path: Path) -> None:
    teacher = Small()
    described = replace(_kinds(teacher)["mixtures"], measurement=BD)
    for most in (8, 24):
        purchase = _buy(replace(described, budget=Budget(stages={"mixtures": most}, repeats=0)), tmp_path)
        assert len(purchase.bought.mixtures) == most
    assert teacher.rows == spent(tmp_path)


def test_where_nothing_was_bought_later_more_answers_are_asked(tmp_path: Path) -> None:
    """Distances to other images cost nothing, and are made again."""
    teacher = Small()
    described = story(teacher, measurement=replace(BD, queries_per_pair=None), lesson=FixedLesson(Inverse()))
    for number in (16, 24):
        purchase = _buy(replace(described, budget=Budget(number, repeats=0)), tmp_path)
        assert len(purchase.bought.answers) == teacher.rows == number


def test_another_end_of_the_rounds_is_refused_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("db3kd.training.committee._MOST_EPOCHS", 20)
    teacher = Counting(Constant(shape=SHAPE, classes=3))
    rounds = replace(Rounds.of_pool(), aside_every=4, trusted_from=0.0, patience=0, views=0.0, target_agreement=0.7)
    described = story(
        teacher,
        pool=ImagePool(images(200)),
        rounds=rounds,
        acquisition=Margin(),
        committee=replace(MIXING, recipe=Recipe("adam", 1e-2, epochs=20, batch_size=16)),
        student=STUDENT,
        lesson=MIXED,
        budget=Budget(images=90, repeats=0),
    )
    purchase = _buy(described, tmp_path)
    assert purchase.ended == "agreement"
    assert len(purchase.bought.mixtures)
    _refused(replace(described, rounds=replace(rounds, target_agreement=0.99)), tmp_path, "for 'answers'")
    _buy(replace(described, teacher=untouched(teacher)), tmp_path)


@pytest.mark.parametrize("total", [None, 100])
def test_a_run_that_its_budget_cut_anywhere_is_told_once_more(tmp_path: Path, total: int | None) -> None:
    """What is left is less than a call, which is no reason to refuse what was not changed."""
    for kind in ("distances", "guided", "rounds", "priors"):
        folder, teacher = tmp_path / kind, Small()
        stages = {"answers": 21, "mixtures": 11, "distances": 30}
        described = replace(stories(teacher)[kind], budget=Budget(total, stages=stages, repeats=0))
        first, again = (_buy(described, folder) for _ in range(2))
        assert first.bought.answers.digest == again.bought.answers.digest
        assert teacher.rows == spent(folder)
