"""Each kind of story, interrupted anywhere, ends as if it had not been; what was foretold is what is done."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from db3kd.context import Context
from db3kd.errors import BudgetExhausted, InputError, RunMismatch
from db3kd.pipeline.budget import Budget
from db3kd.pipeline.story import FixedLesson, Story, Student
from db3kd.pipeline.tell import buy, foretell, own_name, tell
from db3kd.pools import ImagePool
from db3kd.runs import Keeper, Run
from db3kd.softening import Inverse, Opinions, Proportional, Smoothed
from db3kd.training import Recipe
from known_teachers import Failing
from made_runs import (
    BD,
    GUIDED,
    MEMBERS,
    NETWORK,
    QUICK,
    Small,
    Stopped,
    concluded,
    images,
    keeper_of,
    make_small,
    parts_of,
    spent,
    stories,
    story,
    told,
    untouched,
)
from processes import kill_after, start

KINDS = tuple(stories(Small()))
Whole = tuple[Path, Small]


SHARDS = "db3kd.pipeline.measure._MOST_IMAGES_PER_SHARD"


@pytest.fixture(autouse=True)
def _several_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SHARDS, 10)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Whole]:
    """Each kind, told without an interruption."""
    done = {}
    with pytest.MonkeyPatch.context() as patch:
        make_small(patch)
        patch.setattr(SHARDS, 10)
        for kind in KINDS:
            folder, teacher = tmp_path_factory.mktemp("whole"), Small()
            told(stories(teacher)[kind], folder)
            done[kind] = folder, teacher
    return done


def _weights(network: nn.Module) -> list[torch.Tensor]:
    return list(network.state_dict().values())


@pytest.mark.parametrize("kind", KINDS)
def test_interrupted_by_its_teacher_again_and_again_it_ends_the_same(
    tmp_path: Path, whole: dict[str, Whole], kind: str
) -> None:
    folder, seen = whole[kind]
    teacher = Small()
    every = max(2, seen.calls // 3)
    for _ in range(20):
        try:
            told(stories(Failing(teacher, every, Stopped))[kind], tmp_path)
        except Stopped:
            continue
        break
    assert parts_of(tmp_path) == parts_of(folder)
    assert teacher.asked == seen.asked
    # What the failed calls may have cost is on the ledger.
    assert spent(tmp_path) > teacher.rows == spent(folder)


@pytest.mark.parametrize("kind", KINDS)
def test_interrupted_in_its_trainings_it_ends_the_same(
    tmp_path: Path, whole: dict[str, Whole], kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("db3kd.runs.notebook._SECONDS_BETWEEN_STATES", -1.0)
    folder, seen = whole[kind]
    stopped: set[tuple[str, int]] = set()
    teacher = Small()

    def hear(stage: str, done: int, total: int, unit: str) -> None:
        # After the first epoch of every second training.
        if unit == "epochs" and done == 1 and (stage, done) not in stopped:
            stopped.add((stage, done))
            if len(stopped) % 2:
                raise Stopped

    for _ in range(20):
        try:
            told(stories(teacher)[kind], tmp_path, context=Context(progress=hear))
        except Stopped:
            continue
        break
    assert stopped
    assert parts_of(tmp_path) == parts_of(folder)
    assert teacher.asked == seen.asked
    assert not list(tmp_path.rglob("*.state"))
    assert not list(tmp_path.rglob("*.journal"))


def test_mixtures_are_foretold_as_many_as_are_asked_and_as_the_total_pays(tmp_path: Path) -> None:
    described = stories(Small())["guided"]
    assert described.committee is not None
    many = replace(described, committee=replace(described.committee, mixtures_per_image=5.0))
    with Run(tmp_path) as run:
        for total, mixtures in ((None, 24 * 5), (60, 60 - 24 - 16)):
            foretold = foretell(replace(many, budget=Budget(total)), keeper_of(run))
            assert {outline.name: outline.queries for outline in foretold}["mixtures"] == mixtures


@pytest.mark.parametrize("kind", KINDS)
def test_the_ledger_holds_what_the_teacher_saw_and_no_more_than_was_foretold(
    tmp_path: Path, whole: dict[str, Whole], kind: str
) -> None:
    folder, seen = whole[kind]
    with Run(folder) as run:
        statement = run.statement()
    with Run(tmp_path / "new") as run:
        foretold = foretell(stories(seen)[kind], keeper_of(run))
    assert not (tmp_path / "new").exists()
    most = {outline.name: outline.queries for outline in foretold}
    assert statement.total == seen.rows
    assert statement.unsettled == 0
    assert all(0 < queries <= most[stage] for stage, queries in statement.by_stage.items())


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_foretold_is_what_is_done(tmp_path: Path, kind: str) -> None:
    described = stories(Small())[kind]
    heard: dict[str, int] = {}
    with Run(tmp_path) as run:
        foretold = foretell(described, keeper_of(run))
    concluded(described, tmp_path)
    with Run(tmp_path) as run:
        keeper = keeper_of(run)
        # Run again, it tells the same.
        assert foretell(described, keeper) == foretold == keeper.declared()
        standings = keeper.standing(keeper.declared())
        for outline in foretold:
            for part in outline.parts:
                heard[part.name] = keeper.has(part.name)
    assert {(standing.name, standing.state, standing.ahead) for standing in standings} == {
        (outline.name, "done", 0) for outline in foretold
    }
    # Noise ends where every class has enough; a pool that pushes may have fewer starts.
    assert all(heard.values()) or "pushed" in kind
    made = {name.removesuffix(".safetensors") for name in parts_of(tmp_path)}
    # Choosing is a part of asking, and so is the trial of networks; a subspace is one of the committee.
    within = {name for name in made if name.startswith(("choosers-", "trial/")) or name.endswith("subspace")}
    assert made - within == {name for name, there in heard.items() if there}


@pytest.mark.parametrize("kind", ["images", "distances", "rounds", "priors"])
def test_once_more_it_asks_nothing_and_trains_nothing(tmp_path: Path, whole: dict[str, Whole], kind: str) -> None:
    folder, seen = whole[kind]
    lines = (folder / "training.jsonl").read_bytes()
    first, again = (told(stories(untouched(seen))[kind], folder)[1] for _ in range(2))
    assert all(map(torch.equal, _weights(first), _weights(again)))
    assert (folder / "training.jsonl").read_bytes() == lines


_KILLED = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from made_runs import Small, stories, told
from db3kd.pipeline import measure
measure._MOST_IMAGES_PER_SHARD = 10
class Logged(Small):
    def __call__(self, images):
        print(len(images))
        return super().__call__(images)
told(stories(Logged())["distances"], Path(sys.argv[1]))
"""


def test_killed_it_goes_on_and_asks_again_what_was_in_flight(tmp_path: Path, whole: dict[str, Whole]) -> None:
    folder, seen = whole["distances"]
    printed = kill_after(start(_KILLED, tmp_path, Path(__file__).parents[1]), 30)
    before = sum(map(int, printed))
    with Run(tmp_path) as run:
        statement = run.statement()
        assert statement.total - statement.unsettled <= before <= statement.total
    teacher = Small()
    told(stories(teacher)["distances"], tmp_path)
    assert parts_of(tmp_path) == parts_of(folder)
    assert seen.rows <= before + teacher.rows <= seen.rows + teacher.spec.max_batch


class TestBudget:
    def test_below_the_pool_it_asks_exactly_so_many_and_a_larger_one_goes_on(self, tmp_path: Path) -> None:
        teacher = Small()
        kept: list[str] = []
        for total in (10, 17, 30):
            purchase, _ = told(story(teacher, budget=Budget(total, repeats=4)), tmp_path)
            answers = purchase.bought.answers
            assert len(answers) == min(total, 24)
            assert list(answers.images.ids[: len(kept)]) == kept
            assert torch.equal(answers.decisions, Small()(answers.images.images()))
            kept = list(answers.images.ids)
        assert teacher.rows == spent(tmp_path) == 28
        assert len(set(teacher.asked)) == len(kept) == 24

    def test_lowered_it_asks_no_more_and_loses_nothing(self, tmp_path: Path) -> None:
        teacher = Small()
        told(story(teacher, budget=Budget(20)), tmp_path)
        purchase, _ = told(story(untouched(teacher), budget=Budget(5)), tmp_path)
        assert len(purchase.bought.answers) == 20

    def test_raised_it_does_not_change_a_search_though_what_was_declared_is_deleted(self, tmp_path: Path) -> None:
        teacher = Small()
        described = story(teacher, measurement=replace(BD, queries_per_pair=None), lesson=FixedLesson(Inverse()))
        with Run(tmp_path) as run:
            first = buy(replace(described, budget=Budget(1200, repeats=0)), keeper_of(run)).bought
            (tmp_path / "stages.json").unlink()
            raised = replace(described, teacher=untouched(teacher), budget=Budget(7000, repeats=0))
            assert buy(raised, keeper_of(run)).bought.digest == first.digest
        assert first.distances is not None
        assert int(first.distances.queries.sum()) == teacher.rows - 24 > 0

    def test_raised_it_pays_a_search_that_it_could_not_pay_before(self, tmp_path: Path) -> None:
        teacher = Small()
        described = story(teacher, measurement=replace(BD, queries_per_pair=None), lesson=FixedLesson(Inverse()))
        for total in (30, 60):
            purchase, _ = told(replace(described, budget=Budget(total, repeats=0)), tmp_path)
            assert purchase.bought.distances is not None
            assert purchase.bought.distances.method == "sd"
        assert teacher.rows == 24
        raised = replace(described, budget=Budget(1200, repeats=0))
        with Run(tmp_path) as run:
            keeper = keeper_of(run)
            outline = next(one for one in foretell(raised, keeper) if one.name == "distances")
            (standing,) = keeper.standing((outline,))
            assert (standing.state, standing.ahead) == ("not begun", outline.queries)
        # Stopped in its second shard, it goes on there.
        with pytest.raises(Stopped):
            told(replace(raised, teacher=Failing(teacher, 50, Stopped)), tmp_path)
        told(raised, tmp_path)
        told(replace(raised, budget=Budget(1200, repeats=0)), tmp_path / "at once")
        made = [
            {name: data for name, data in parts_of(folder).items() if name.startswith("distances")}
            for folder in (tmp_path, tmp_path / "at once")
        ]
        assert made[0] == made[1]
        assert len(made[0]) == 3
        # What is found at no query is no reason to refuse more answers; what was paid stays.
        told(replace(raised, teacher=untouched(teacher), budget=Budget(30, repeats=0)), tmp_path)

    def test_lowered_it_keeps_the_mixtures_that_it_paid_and_raised_it_pays_for_none_again(self, tmp_path: Path) -> None:
        teacher = Small()
        many = replace(MEMBERS, mixtures_per_image=4.0)
        described = story(teacher, committee=many, lesson=FixedLesson(Opinions(), mixtures=True))
        kept: list[torch.Tensor] = []
        # The first total ends in the middle of a call, and the lowered ones before what was bought, or within it.
        for total, count in ((80, 52), (34, 52), (70, 52), (80, 52), (124, 96)):
            with Run(tmp_path) as run:
                mixtures = buy(replace(described, budget=Budget(total, repeats=4)), keeper_of(run)).bought.mixtures
            assert len(mixtures) == count
            assert all(torch.equal(mixtures.decisions[: len(before)], before) for before in kept)
            kept.append(mixtures.decisions)
        assert teacher.rows == spent(tmp_path) == 24 + 96 + 4
        assert len(set(teacher.asked)) == 24 + 96

    def test_lowered_it_uses_what_was_bought_after_a_stage_that_a_limit_had_ended(self, tmp_path: Path) -> None:
        teacher = Small()
        described = stories(teacher)["guided"]
        with Run(tmp_path) as run:
            # So that the answers end before what was planned.
            keeper_of(run).declare(foretell(described, keeper_of(run)))
            stages, bought = {"mixtures": 9}, []
            for total in (None, 200, 15):
                asked = replace(described, budget=Budget(total, images=13, stages=stages, repeats=0))
                bought.append(buy(asked, keeper_of(run)).bought)
        for lowered in bought[1:]:
            assert lowered.digest == bought[0].digest
            assert len(lowered.answers) == 13
            assert len(lowered.mixtures) == 8
        assert teacher.rows == spent(tmp_path)

    @pytest.mark.parametrize("kind", ["distances", "guided", "rounds", "priors"])
    def test_where_it_ends_the_run_goes_on_to_its_student_and_raised_it_ends_as_if_it_had_not(
        self, tmp_path: Path, whole: dict[str, Whole], kind: str
    ) -> None:
        folder, seen = whole[kind]
        teacher = Small()
        usual = stories(teacher)[kind]
        begun = usual.budget.questions(usual.pool.size)
        with Run(tmp_path) as run:
            # The run is begun with the plan of the whole one, and its budget is lowered before anything is bought.
            keeper_of(run).declare(foretell(usual, keeper_of(run)))
        for total in (begun // 2, begun + (seen.rows - begun) // 2, seen.rows):
            wanted = usual.budget.total if total == seen.rows else total
            purchase, student = told(replace(usual, budget=replace(usual.budget, total=wanted)), tmp_path)
            assert teacher.rows == spent(tmp_path) <= (wanted or seen.rows)
            assert student(purchase.bought.answers.images.images()).shape[1] == 3
        assert len(set(teacher.asked)) == len(set(seen.asked))
        assert teacher.rows == seen.rows
        assert parts_of(tmp_path) == parts_of(folder)

    def test_is_never_foretold_to_be_passed(self, tmp_path: Path) -> None:
        for total in (1, 5, 12):
            stages = foretell(story(Small(), budget=Budget(total)), keeper_of(Run(tmp_path)))
            assert sum(stage.queries for stage in stages if not stage.held_out) == total

    def test_of_a_stage_holds_for_that_stage(self, tmp_path: Path) -> None:
        described = stories(Small())["distances"]
        told(replace(described, budget=Budget(stages={"answers": 12, "distances": 50}, repeats=0)), tmp_path)
        with Run(tmp_path) as run:
            by_stage = run.statement().by_stage
        assert by_stage["answers"] == 12
        assert 50 - 8 < by_stage["distances"] <= 50

    @pytest.mark.parametrize("budget", [Budget(0), Budget(stages={"answers": 0})])
    def test_that_allows_no_answer_is_told(self, tmp_path: Path, budget: Budget) -> None:
        with pytest.raises(BudgetExhausted, match="0 of 0 are spent"):
            told(story(untouched(Small()), budget=budget), tmp_path)

    def test_is_not_spent_on_held_out_images(self, tmp_path: Path) -> None:
        teacher = Small()
        report = concluded(story(teacher, held_out=images(6, seed=5), budget=Budget(24)), tmp_path)
        assert (report.queries.total, report.queries.held_out, teacher.rows) == (24, {"held-out": 6}, 30)


class TestAbstentions:
    def test_are_kept_and_never_learned(self, tmp_path: Path) -> None:
        teacher = Small(abstains=True)
        described = replace(stories(teacher)["guided"], held_out=images(20, seed=4))
        report = concluded(described, tmp_path)
        with Run(tmp_path) as run:
            keeper = keeper_of(run)
            bought = buy(described, keeper).bought
            assert all(standing.state == "done" for standing in keeper.standing(keeper.declared()))
        silent = int((~bought.answers.decided).sum())
        assert 0 < silent < 24
        assert bought.distances is not None
        assert len(bought.distances) == 24 - silent
        assert report.asking is not None
        assert report.asking.queries == 24
        assert report.students[-1].agreement is not None

    def test_of_all_images_are_told(self, tmp_path: Path) -> None:
        class Silent(Small):
            def __call__(self, images: torch.Tensor) -> torch.Tensor:
                return torch.full_like(super().__call__(images), self.classes)

        teacher = Silent(abstains=True)
        with pytest.raises(InputError, match="none of 24 images a class"):
            told(story(teacher), tmp_path)
        assert teacher.rows == spent(tmp_path) == 24


def _other(described: Story, what: str) -> Story:
    changed: dict[str, Story] = {
        "images": replace(described, pool=ImagePool(images(seed=1))),
        "search": replace(described, measurement=replace(BD, queries_per_pair=25)),
        "lesson": replace(described, lesson=FixedLesson(Proportional())),
        "recipe": replace(described, student=Student(NETWORK, replace(QUICK, epochs=3))),
        "student": replace(described, student=Student("made_networks:one_layer", QUICK)),
    }
    return changed[what]


@pytest.mark.parametrize(
    ("what", "named"),
    [
        ("images", r"answers/00000\.safetensors.*pool\.images is"),
        ("search", r"distances/00000\.safetensors.*measurement\.queries_per_pair is 24 in the run and 25"),
        ("lesson", r'student\.safetensors.*lesson\.softening\.type is "Inverse" in the run and "Proportional"'),
        ("recipe", r"student\.safetensors.*recipe\.epochs is 2 in the run and 3"),
        ("student", r'student\.safetensors.*student is "made_networks:two_layers"'),
    ],
)
def test_what_a_run_was_not_made_by_is_refused_by_name(whole: dict[str, Whole], what: str, named: str) -> None:
    folder, seen = whole["distances"]
    before = parts_of(folder)
    with pytest.raises(RunMismatch, match=named):
        told(_other(stories(untouched(seen))["distances"], what), folder)
    assert parts_of(folder) == before


def test_a_committee_may_have_more_members_when_a_run_goes_on(tmp_path: Path, whole: dict[str, Whole]) -> None:
    described = stories(untouched(whole["priors"][1]))["priors"]
    assert described.committee is not None
    shutil.copytree(whole["priors"][0], tmp_path / "run")
    purchase, _ = told(replace(described, committee=replace(described.committee, members=3)), tmp_path / "run")
    assert len(purchase.bought.committee) == 3


def test_another_teacher_is_refused(whole: dict[str, Whole]) -> None:
    with pytest.raises(RunMismatch, match=r"'small'.*'other'"):
        told(story(untouched(Small(fingerprint="other"))), whole["images"][0])


def test_a_run_may_end_after_its_answers_or_its_distances(tmp_path: Path) -> None:
    teacher = Small()
    described = stories(teacher)["distances"]
    with Run(tmp_path) as run:
        assert buy(described, keeper_of(run), until="answers").bought.distances is None
        assert run.statement().by_stage == {"answers": 24}
        assert buy(described, keeper_of(run), until="distances").bought.distances is not None
        assert set(run.statement().by_stage) == {"answers", "distances"}
        purchase = buy(described, keeper_of(run))
    assert purchase.repeats is not None
    assert teacher.rows == spent(tmp_path)


def test_a_student_is_called_by_what_it_learned_from() -> None:
    named = {kind: own_name(described) for kind, described in stories(Small()).items()}
    assert named["images"] == named["rounds"] == "smoothed-decisions"
    assert named["distances"] == named["pushed"] == "bd"
    assert named["guided"] == named["priors"] == "opinions"
    assert own_name(story(Small(), measurement=GUIDED, lesson=FixedLesson(Proportional()))) == "guided"


def test_each_stage_is_heard_to_its_end(tmp_path: Path) -> None:
    told_of: dict[str, list[tuple[int, int]]] = {}

    def hear(stage: str, done: int, total: int, unit: str) -> None:
        assert unit
        told_of.setdefault(stage, []).append((done, total))

    told(stories(Small())["rounds"], tmp_path, context=Context(progress=hear))
    assert {"answers", "student", "repeats"} <= set(told_of)
    assert any(stage.startswith("choosers-") for stage in told_of)
    assert all(done <= total for steps in told_of.values() for done, total in steps)
    assert all(steps[-1][0] == steps[-1][1] for steps in told_of.values())


def test_baselines_learn_from_the_same_images(tmp_path: Path) -> None:
    described = story(
        Small(),
        pool=ImagePool(images(labelled=True)),
        student=Student(NETWORK, QUICK, baselines=("true-labels", "hard-decisions")),
        lesson=FixedLesson(Smoothed(), classes="true"),
    )
    with Run(tmp_path) as run:
        _, students = tell(described, Keeper(run))
    assert list(students) == ["true-labels", "hard-decisions", "smoothed-decisions"]
    networks = [_weights(network) for network in students.values()]
    assert not any(torch.equal(networks[0][0], other[0]) for other in networks[1:])


def test_what_a_lesson_needs_and_was_not_bought_is_told(tmp_path: Path) -> None:
    for lesson, fault in ((FixedLesson(Inverse()), "needs distances"), (FixedLesson(Opinions()), "needs a committee")):
        with pytest.raises(InputError, match=fault):
            told(story(Small(), lesson=lesson), tmp_path)


def test_a_recipe_that_follows_from_the_answers_is_exchanged_with_them(tmp_path: Path) -> None:
    lesson = FixedLesson()
    unsaid = Student("made_networks:one_layer", Recipe("adam", 1e-2, epochs=1, batch_size=8))
    for total in (10, 20):
        told(story(Small(), student=unsaid, lesson=lesson, budget=Budget(total)), tmp_path)
    with Run(tmp_path) as run:
        assert [line["part"] for line in run.lines()] == ["student"]


@pytest.mark.parametrize("beyond", [1, 16, 17, 40, 127])
def test_a_budget_beyond_the_pool_is_spent_to_the_last_query(tmp_path: Path, beyond: int) -> None:
    """Mixtures get what is left beside repeated questions, in a short call where that is no whole one."""
    pool = ImagePool(images(60))
    for total in (60 + beyond, 60 + 150):
        teacher = Small()
        mixing = replace(MEMBERS, mixtures_per_image=3.0)
        lesson = FixedLesson(Opinions(), mixtures=True)
        described = story(teacher, pool=pool, committee=mixing, lesson=lesson, budget=Budget(total))
        with Run(tmp_path) as run:
            keeper = keeper_of(run)
            foretold = sum(outline.queries for outline in foretell(described, keeper) if not outline.held_out)
            purchase = buy(described, keeper)
            assert run.statement().total == foretold == total
        assert (purchase.repeats is None) == (beyond < 16 and total < 200)
