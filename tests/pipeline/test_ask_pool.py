"""Rounds ask what was planned: each image once, in the order of the pool, and end where nothing is gained."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from db3kd.acquisition import Acquisition, Disagreement, Margin, Random, Rounds
from db3kd.data import from_arrays
from db3kd.errors import InputError
from db3kd.pipeline.ask_pool import Asked, AskPool
from db3kd.pipeline.budget import Budget
from db3kd.pipeline.rounds import plan_rounds
from db3kd.pipeline.story import Story
from db3kd.pipeline.tell import buy, foretell
from db3kd.pools import ImagePool, Joined, Priors
from db3kd.runs import Run
from db3kd.teachers import FunctionTeacher, Teacher
from db3kd.training import Recipe
from known_teachers import Constant, Counting, Failing
from made_runs import MEMBERS, SHAPE, Small, Stopped, dataset, images, keeper_of, stories, story, untouched


def _ask(described: Story, folder: Path) -> Asked:
    with Run(folder) as run:
        keeper = keeper_of(run)
        sizes = plan_rounds(described, keeper)
        keeper.declare(foretell(described, keeper))
        return keeper.perform(AskPool(described, keeper.context.seed, sizes))


def test_all_at_once_is_the_pool_in_its_order(tmp_path: Path) -> None:
    teacher = Small()
    asked = _ask(story(teacher, pool=ImagePool(images(labelled=True))), tmp_path)
    answers = asked.answers
    assert answers.images.ids == images().ids
    assert torch.equal(answers.images.pixels, images().pixels)
    assert answers.images.labels is not None
    assert set(answers.origins) == {"images"}
    assert not answers.aside.any()
    assert (asked.ended, asked.gains) == ("all", ())


def test_random_rounds_draw_by_lot(tmp_path: Path) -> None:
    drawn = [
        set(
            _ask(
                story(Small(), pool=ImagePool(images(200)), budget=Budget(total)), tmp_path / str(total)
            ).answers.images.ids
        )
        for total in (20, 40)
    ]
    assert [len(ids) for ids in drawn] == [20, 40]
    # Not the first ones.
    assert max(int(name.rpartition("/")[2]) for name in drawn[0]) > 100


def test_what_is_drawn_by_lot_is_no_copy_of_what_was_answered(tmp_path: Path) -> None:
    distinct = images(60)
    pool = ImagePool(from_arrays(distinct.pixels.repeat(5, 1, 1, 1), name="five times"))
    rounds = replace(Rounds.of_pool(), opening=1.0, number=0, views=0.0, aside_every=4)
    described = story(Small(), pool=pool, rounds=rounds, budget=Budget(48, repeats=0))
    asked = _ask(described, tmp_path)
    answers = asked.answers
    assert [step.way for step in asked.rounds] == ["aside", "lot"]
    by_lot = {image.numpy().tobytes() for image in answers.images.pixels[~answers.aside]}
    aside = {image.numpy().tobytes() for image in answers.images.pixels[answers.aside]}
    assert len(by_lot) == int((~answers.aside).sum()) == 36
    assert not by_lot & aside
    # What is set aside is a fair sample, copies and all.
    assert len(aside) < int(answers.aside.sum()) == 12


def test_rounds_with_a_committee_ask_everything_once_and_compare_it(tmp_path: Path) -> None:
    teacher = Small()
    asked = _ask(stories(teacher)["rounds"], tmp_path)
    assert sorted(asked.answers.images.ids) == sorted(images().ids)
    assert len(set(teacher.asked)) == teacher.rows == 24
    assert int(asked.answers.aside.sum()) == 4
    assert [gain.queries for gain in asked.gains] == sorted(gain.queries for gain in asked.gains)
    assert len(asked.gains) == 1
    assert not asked.gains[0].learned_longer


def test_the_committee_that_teaches_is_compared_as_well(tmp_path: Path) -> None:
    with Run(tmp_path) as run:
        gains = buy(replace(stories(Small())["priors"], budget=Budget(60)), keeper_of(run)).gains
    assert [gain.learned_longer for gain in gains] == [False] * (len(gains) - 1) + [True]


def test_what_is_made_keeps_where_it_came_from(tmp_path: Path) -> None:
    described = replace(stories(Small())["priors"], budget=Budget(60, repeats=0))
    answers = _ask(described, tmp_path).answers
    assert len(answers) == len(set(answers.images.ids)) == 60
    families = {origin for origin in answers.origins if "/" not in origin}
    assert len(families) > 3
    assert any(origin.startswith("between/") for origin in answers.origins)
    # Children are no fair test.
    assert not any("/" in answers.origins[row] for row in answers.aside.nonzero()[:, 0].tolist())


def test_a_pool_of_several_gives_every_image_a_name_of_its_own(tmp_path: Path) -> None:
    pool = Joined((ImagePool(images()), Priors(SHAPE)))
    described = replace(stories(Small())["priors"], pool=pool, budget=Budget(60, repeats=0))
    answers = _ask(described, tmp_path).answers
    assert len(set(answers.images.ids)) == 60
    assert {"images"} < set(answers.origins)


def test_rounds_that_gain_nothing_end_before_the_budget(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("db3kd.training.committee._MOST_EPOCHS", 20)
    teacher = Counting(Constant(shape=SHAPE, classes=3))
    rounds = Rounds(0.5, 4, between=0.0, aside_every=2, least_gain=0.1)
    described = story(
        teacher,
        pool=ImagePool(images(120)),
        rounds=rounds,
        acquisition=Disagreement(),
        committee=replace(MEMBERS, recipe=Recipe("adam", 1e-2, epochs=1, batch_size=32)),
    )
    asked = _ask(described, tmp_path)
    assert asked.ended == "flat"
    assert teacher.rows == len(asked.answers) < 120
    assert len(asked.gains) == 2
    again = _ask(described, tmp_path)
    assert (again.ended, again.gains, len(again.answers)) == ("flat", asked.gains, len(asked.answers))
    with Run(tmp_path) as run:
        keeper = keeper_of(run)
        standing = next(one for one in keeper.standing(keeper.declared()) if one.name == "answers")
    assert (standing.state, standing.ahead) == ("done", 0)
    # Who wishes another end goes on.
    longer = replace(described, rounds=replace(rounds, patience=0))
    with Run(tmp_path) as run:
        keeper = keeper_of(run)
        standing = next(one for one in keeper.standing(foretell(longer, keeper)) if one.name == "answers")
    assert (standing.state, standing.ahead) == ("begun", 120 - len(asked.answers))
    on = _ask(longer, tmp_path)
    assert (on.ended, len(on.answers), teacher.rows) == ("all", 120, 120)
    assert on.answers.images.ids[: len(asked.answers)] == asked.answers.images.ids


@pytest.mark.parametrize("misspelt", ["Ant", "ant"])
def test_a_teacher_that_names_no_class_of_the_list_is_not_asked_to_the_end(misspelt: str, tmp_path: Path) -> None:
    def answer(rows: object) -> list[str]:
        # One answer that is a class is hope enough.
        return [misspelt, *["Bee"] * (len(rows) - 1)]  # type: ignore[arg-type]  # an array

    teacher = Counting(FunctionTeacher(answer, input_shape=SHAPE, class_names=["ant", "bee", "cat"]))
    described = story(teacher, pool=ImagePool(images(400)), rounds=Rounds(0.3, 4), acquisition=Random())
    if misspelt == "ant":
        assert len(_ask(described, tmp_path).answers) == 400
        return
    for _ in range(2):
        with pytest.raises(InputError, match=r"none of 134 images a class.*list its class_names letter for letter"):
            _ask(described, tmp_path)
        assert teacher.rows == 134, "the second start asks nothing"


@pytest.mark.parametrize("acquisition", [Margin(), Random()])
def test_a_target_that_is_reached_ends_asking_however_images_are_chosen(
    tmp_path: Path, acquisition: Acquisition
) -> None:
    """A committee agrees wholly with a teacher that always says the same; 0.7 takes nine answers set aside."""
    teacher = Counting(Constant(shape=SHAPE, classes=3))
    rounds = replace(Rounds.of_pool(), aside_every=4, trusted_from=0.0, patience=0, views=0.0, target_agreement=0.7)
    committee = replace(MEMBERS, recipe=Recipe("adam", 1e-2, epochs=20, batch_size=16))
    described = story(
        teacher,
        pool=ImagePool(images(200)),
        rounds=rounds,
        acquisition=acquisition,
        committee=committee,
        budget=Budget(90),
    )
    asked = _ask(described, tmp_path)
    assert (asked.ended, len(asked.answers)) == ("agreement", teacher.rows)
    assert teacher.rows < 74
    # A higher one goes on, and 0.99 cannot be shown with so few.
    more = replace(described, rounds=replace(rounds, target_agreement=0.99))
    assert _ask(more, tmp_path).ended == "all"


@pytest.mark.parametrize(("trusted_from", "chosen"), [(0.0, True), (1.0, False)])
def test_a_committee_that_knows_too_little_does_not_choose(tmp_path: Path, trusted_from: float, chosen: bool) -> None:
    """Its weights are as they were drawn, so that it cannot agree with all that is set aside."""
    described = story(
        Small(),
        pool=ImagePool(images(120)),
        rounds=replace(Rounds.of_pool(), opening=0.3, aside_every=4, trusted_from=trusted_from),
        acquisition=Margin(),
        committee=replace(MEMBERS, recipe=Recipe("adam", 1e-9, epochs=1, batch_size=32)),
        budget=Budget(50, repeats=0),
    )
    asked = _ask(described, tmp_path)
    answers = asked.answers
    assert len(answers) == len(set(answers.images.ids)) == sum(step.size for step in asked.rounds) == 50
    assert any(origin.startswith("chosen/") for origin in answers.origins) is chosen
    # What nobody chooses is spread over the pool.
    assert {step.way for step in asked.rounds} == {"aside", "spread"} | ({"chosen"} if chosen else set())
    spread = sum(step.size for step in asked.rounds if step.way == "spread")
    assert answers.origins.count("spread/images") == spread > 0


@pytest.mark.parametrize(("budget", "ways"), [(45, ["aside", "lot", "views", "chosen", "chosen"]), (90, ["views"])])
def test_what_cannot_be_transformed_is_asked_later_or_by_lot(tmp_path: Path, budget: int, ways: list[str]) -> None:
    """The teacher gives three images of four no class, and only decided ones are transformed."""
    pixels = images(120).images()
    pixels[:, 0, 0, 0] = torch.where(torch.arange(120) % 4 > 0, 1.0, 0.0)
    described = story(
        Small(abstains=True),
        pool=ImagePool(dataset(pixels)),
        rounds=replace(Rounds.of_pool(), views=0.3, trusted_from=0.0, patience=0),
        acquisition=Margin(),
        committee=replace(MEMBERS, recipe=Recipe("adam", 1e-9, epochs=1, batch_size=32)),
        budget=Budget(budget, repeats=0),
    )
    asked = _ask(described, tmp_path)
    with Run(tmp_path) as run:
        outline = next(one for one in keeper_of(run).declared() if one.name == "answers")
    planned = [part.queries for part in outline.parts]
    assert [part.way for part in outline.parts][-len(ways) :] == ways
    assert sum(step.size for step in asked.rounds if step.way == "views") < planned[2], "few are decided"
    assert len(asked.answers) == sum(planned) == budget
    assert sum(step.size for step in asked.rounds) == budget


@pytest.mark.parametrize("kind", ["images", "pool", "priors"])
def test_fewer_images_are_asked_where_the_budget_is_lowered_and_a_larger_one_goes_on(tmp_path: Path, kind: str) -> None:
    seen, teacher = Small(), Small()
    described = replace(stories(seen)[kind], budget=Budget(images=24, repeats=0))
    _ask(described, tmp_path / "whole")
    with pytest.raises(Stopped):
        _ask(replace(described, teacher=Failing(teacher, 2, Stopped)), tmp_path / "run")
    begun = teacher.rows
    # What was asked already stays; 13 and 22 end in the middle of a call.
    for most in (5, 13, 22):
        lowered = replace(described, teacher=teacher, budget=Budget(images=most, repeats=0))
        asked = _ask(lowered, tmp_path / "run")
        assert asked.ended == "budget"
        assert len(asked.answers) == teacher.rows == max(most, begun)
        assert len(_ask(replace(lowered, teacher=untouched(teacher)), tmp_path / "run").answers) == teacher.rows
    whole = _ask(replace(described, teacher=teacher), tmp_path / "run")
    assert (whole.ended, teacher.rows, len(set(teacher.asked))) == ("all", seen.rows, len(set(seen.asked)))
    for part in (tmp_path / "whole/answers").iterdir():
        assert (tmp_path / "run/answers" / part.name).read_bytes() == part.read_bytes()


@pytest.mark.parametrize("kind", ["images", "rounds", "pool", "priors"])
def test_a_raised_budget_is_divided_as_it_was_where_what_was_declared_is_deleted(tmp_path: Path, kind: str) -> None:
    whole, teacher = Small(), Small()

    def ask(teacher: Teacher, images: int, folder: Path) -> Asked:
        described = replace(stories(teacher)[kind], budget=Budget(images=images, repeats=0))
        return _ask(described, folder)

    for number in (12, 22):
        ask(whole, number, tmp_path / "whole")
    ask(teacher, 12, tmp_path / "run")
    for call in (1, 2):
        with pytest.raises(Stopped):
            ask(Failing(teacher, call, Stopped), 22, tmp_path / "run")
        (tmp_path / "run/stages.json").unlink()
    ask(teacher, 22, tmp_path / "run")
    (tmp_path / "run/stages.json").unlink()
    assert len(ask(untouched(teacher), 22, tmp_path / "run").answers) == 22
    assert teacher.asked == whole.asked
    assert len(ask(teacher, 24, tmp_path / "run").answers) == len(ask(whole, 24, tmp_path / "whole").answers) == 24
    assert teacher.asked == whole.asked
    for part in (tmp_path / "whole/answers").iterdir():
        assert (tmp_path / "run/answers" / part.name).read_bytes() == part.read_bytes()


def test_a_teacher_with_levels_sees_them(tmp_path: Path) -> None:
    teacher = Counting(Small(levels=3))
    described = replace(
        stories(teacher)["priors"], acquisition=Random(), rounds=Rounds.once(), budget=Budget(30, repeats=0)
    )
    _ask(described, tmp_path)
    assert isinstance(teacher.teacher, Small)
    seen = torch.stack([torch.frombuffer(bytearray(row), dtype=torch.float32) for row in teacher.teacher.asked])
    assert set(seen.unique().tolist()) <= {0.0, 0.5, 1.0}
