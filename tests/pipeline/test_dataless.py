"""A teacher and no images: a student, at no more than the budget, the same after an interruption."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier

import db3kd
from db3kd.data import from_arrays
from db3kd.errors import BudgetExhausted, InputError, PlanError, RunMismatch
from db3kd.evaluation import predict
from db3kd.pipeline import Budget
from db3kd.pipeline.exploring import Exploring, explore
from db3kd.pipeline.imitating import Imitation, imitate, imitate_together
from db3kd.pipeline.trusting import measure_trust
from db3kd.report.schema import from_json
from db3kd.runs import Run
from db3kd.synthesis.active import Rounds, open_with
from db3kd.synthesis.answers import no_answers
from db3kd.synthesis.priors import FAMILIES
from db3kd.teachers import FunctionTeacher
from db3kd.training import Recipe
from known_teachers import Constant, Counting, Failing, HalfSpace, Sectors

STUDENT = "made_networks:two_layers"
QUICK = Recipe("adam", 1e-2, epochs=3, batch_size=64)
SHORT = Recipe("adam", 1e-2, epochs=2, batch_size=32)


def _teacher() -> Sectors:
    return Sectors(shape=(1, 8, 8), classes=3)


def _exploring(queries: int = 240) -> Exploring:
    return Exploring(queries, Rounds(number=2), architecture=STUDENT, networks=2, teaching=3, recipe=SHORT, patience=0)


def test_every_query_is_counted_and_the_budget_is_spent_exactly(tmp_path: Path) -> None:
    counting = Counting(_teacher())
    with Run(tmp_path) as run:
        explored = explore(run, counting, _exploring(), budget=Budget(total=240))
        assert run.statement().total == counting.rows == len(explored.answers) == 240
    assert int(explored.answers.histogram().sum()) == 240
    assert len(explored.primers) == 3
    assert torch.equal(_teacher()(explored.answers.questions.images()), explored.answers.decisions)


def test_interrupted_it_goes_on_to_the_same_answers_without_paying_twice(tmp_path: Path) -> None:
    def go(teacher: Counting | Failing, folder: Path) -> tuple[torch.Tensor, torch.Tensor]:
        with Run(folder) as run:
            explored = explore(run, teacher, _exploring(1100), budget=Budget())
            student = imitate(run, "student", explored, Imitation(STUDENT, QUICK, candidates=128))
        return explored.answers.questions.pixels, predict(student, explored.answers.questions.pixels)

    whole, parts = Counting(_teacher()), Counting(_teacher())
    reference = go(whole, tmp_path / "whole")
    # In the opening, and in a round that primers chose.
    for call in (2, 3, 3):
        with pytest.raises(KeyboardInterrupt):
            go(Failing(parts, call, KeyboardInterrupt), tmp_path / "parts")
    again = go(parts, tmp_path / "parts")
    assert parts.rows == whole.rows == 1100
    assert all(torch.equal(first, second) for first, second in zip(reference, again, strict=True))
    assert (tmp_path / "whole/student.safetensors").read_bytes() == (
        tmp_path / "parts/student.safetensors"
    ).read_bytes()


@pytest.mark.parametrize("stopped_at", [2, 3])
def test_students_side_by_side_are_those_that_learned_alone_even_where_one_was_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stopped_at: int
) -> None:
    monkeypatch.setattr("db3kd.pipeline.students._SECONDS_BETWEEN_STATES", -1.0)
    architectures = {"first": STUDENT, "second": "made_networks:one_layer"}
    imitation = Imitation(STUDENT, QUICK, candidates=128)
    imitations = {name: replace(imitation, student=student) for name, student in architectures.items()}

    def stop(stage: str, done: int, total: int, unit: str) -> None:
        if stage == "train second" and done == stopped_at:
            raise KeyboardInterrupt

    with Run(tmp_path) as run:
        explored = explore(run, _teacher(), _exploring(), budget=Budget())
        alone = {name: imitate(run, f"alone-{name}", explored, one) for name, one in imitations.items()}
        with pytest.raises(KeyboardInterrupt):
            imitate(run, "second", explored, imitations["second"], progress=stop)
        together = imitate_together(run, architectures, explored, imitation)
        lines = [(line["student"], line["epoch"]) for line in run.lines()]
    for name, student in together.items():
        for mine, other in zip(student.parameters(), alone[name].parameters(), strict=True):
            assert torch.equal(mine, other)
    assert all(lines.count((name, epoch)) == 1 for name in architectures for epoch in (1, 2, 3))


def test_the_same_call_again_asks_nothing(tmp_path: Path) -> None:
    teacher = Counting(_teacher())
    first = db3kd.distill_without_data(teacher, student=STUDENT, budget=200, recipe=QUICK, run=tmp_path)
    again = db3kd.distill_without_data(teacher, student=STUDENT, budget=900, recipe=QUICK, run=tmp_path)
    assert teacher.rows == 200
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))
    with pytest.raises(RunMismatch, match="method"):
        db3kd.distill_without_data(teacher, student=STUDENT, budget=200, method="priors", recipe=QUICK, run=tmp_path)


def test_other_rounds_in_the_same_run_are_refused(tmp_path: Path) -> None:
    with Run(tmp_path) as run:
        explore(run, _teacher(), _exploring(), budget=Budget())
        with pytest.raises(RunMismatch, match="other rounds"):
            explore(run, _teacher(), replace(_exploring(), seed=1), budget=Budget())


# Seeds of half-spaces that leave both classes some of the made images.
@pytest.mark.parametrize(("shape", "seed"), [((1, 8, 8), 4), ((3, 9, 8), 3)])
def test_a_student_agrees_where_it_was_never_shown_an_image(shape: tuple[int, int, int], seed: int) -> None:
    teacher = HalfSpace(shape, offset=0.0, bounds=(0.0, 1.0), seed=seed)
    recipe = Recipe("adam", 1e-2, epochs=4, batch_size=64)
    student = db3kd.distill_without_data(teacher, student=STUDENT, budget=600, recipe=recipe)
    images = open_with(no_answers(shape, 2), 400, seed=99).images()
    decisions = teacher(images)
    assert not student.training
    # Who always gives the more frequent class is wrong about a quarter of them at least.
    assert decisions.float().mean().sub(0.5).abs() < 0.25
    assert (student(images).argmax(1) == decisions).float().mean() > 0.85


def test_what_can_be_said_without_a_test_set_is_in_the_run(tmp_path: Path) -> None:
    db3kd.distill_without_data(Constant(classes=3), student=STUDENT, budget=300, recipe=QUICK, run=tmp_path)
    trust = json.loads((tmp_path / "trust.json").read_text())
    assert trust["never_decided"] == [1, 2]
    assert trust["class_histogram"] == [300, 0, 0]
    assert trust["score"]["agreement"] == 1.0
    assert 5 <= trust["score"]["images"] <= 15
    assert {one["kind"] for one in trust["score"]["kinds"]} <= {family.name for family in FAMILIES}
    assert sum(one["images"] for one in trust["score"]["kinds"]) == trust["score"]["images"]


def test_rounds_that_gain_nothing_end_before_the_budget(tmp_path: Path) -> None:
    # One class alone is learned at once, and of 10,000 queries enough are kept apart to tell.
    counting = Counting(Constant(classes=3))
    exploring = Exploring(10_000, architecture=STUDENT, networks=2, teaching=1, recipe=SHORT)
    with Run(tmp_path) as run:
        explored = explore(run, counting, exploring, budget=Budget())
    assert explored.stopped_early
    assert counting.rows == len(explored.answers) < 5000
    assert not any(gain.learned_longer for gain in explored.gains)
    assert measure_trust(explored, explored.primers[0]).queries == counting.rows


def test_a_spent_budget_ends_the_rounds_or_the_stage_as_asked(tmp_path: Path) -> None:
    counting = Counting(_teacher())
    with Run(tmp_path) as run:
        with pytest.raises(BudgetExhausted):
            explore(run, counting, _exploring(1100), budget=Budget(total=10), until_spent=True)
        with pytest.raises(BudgetExhausted):
            explore(run, counting, _exploring(1100), budget=Budget(total=400))
        explored = explore(run, counting, _exploring(1100), budget=Budget(total=400), until_spent=True)
        # A call that does not fit whole is not sent.
        assert 400 - 128 < len(explored.answers) == counting.rows <= 400
        # They stay ended: more answers now would need other questions than those that were to come.
        again = explore(run, counting, _exploring(1100), budget=Budget(), until_spent=True)
    assert counting.rows == len(explored.answers) == len(again.answers)
    assert again.gains == explored.gains


def test_a_durable_run_has_a_report_with_what_never_came(tmp_path: Path) -> None:
    db3kd.distill_without_data(Constant(classes=3), student=STUDENT, budget=100, recipe=QUICK, run=tmp_path)
    report = from_json((tmp_path / "report.json").read_text())
    assert report.exploration is not None
    assert report.exploration.never_decided == (1, 2)
    assert report.exploration.class_histogram == (100, 0, 0)
    assert "never gave class 1, 2" in (tmp_path / "report.html").read_text()
    assert (tmp_path / "synthesis.png").read_bytes().startswith(b"\x89PNG")


def test_held_out_images_may_come_later_and_are_booked_apart(tmp_path: Path) -> None:
    counting = Counting(_teacher())
    images = torch.rand(20, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    held_out = from_arrays(images, _teacher()(images), name="some")

    for later in (None, held_out, None):
        db3kd.distill_without_data(counting, student=STUDENT, budget=100, recipe=QUICK, run=tmp_path, held_out=later)
    report = from_json((tmp_path / "report.json").read_text())
    assert (report.queries.total, report.queries.held_out, counting.rows) == (100, {"held-out": 20}, 120)
    # The labels are the teacher's own answers.
    assert report.students[0].accuracy == report.students[0].agreement is not None
    with pytest.raises(InputError, match="run="):
        db3kd.distill_without_data(counting, student=STUDENT, budget=100, held_out=held_out)
    assert counting.rows == 120


def test_what_cannot_be_is_refused_before_a_query() -> None:
    counting = Counting(HalfSpace((1, 8, 8)))
    with pytest.raises(InputError, match="bounds"):
        db3kd.distill_without_data(counting, student=STUDENT, budget=100)
    with pytest.raises(PlanError, match="unknown"):
        db3kd.distill_without_data(counting, student="lenet6", budget=100)
    with pytest.raises(InputError, match="at least 1 query"):
        db3kd.distill_without_data(Counting(_teacher()), student=STUDENT, budget=0)
    assert counting.rows == 0


def test_a_random_forest_is_copied_without_a_digit() -> None:
    images, labels = load_digits(return_X_y=True)
    images = (images / 16.0).astype(np.float32)
    forest = RandomForestClassifier(20, random_state=0).fit(images[:1200], labels[:1200])
    teacher = FunctionTeacher(lambda x: forest.predict(x.reshape(len(x), -1)), input_shape=(1, 8, 8), num_classes=10)
    counting = Counting(teacher)
    student = db3kd.distill_without_data(
        counting, student=STUDENT, budget=2000, recipe=Recipe("adam", 3e-3, epochs=6, batch_size=64)
    )
    held_out = torch.from_numpy(images[1200:]).view(-1, 1, 8, 8)
    agreement = (student(held_out).argmax(1) == teacher(held_out)).float().mean()
    assert counting.rows <= 2000
    # Guessing agrees on a tenth.
    assert agreement > 0.5
