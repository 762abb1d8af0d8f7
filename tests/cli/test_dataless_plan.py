"""`db3kd run` with a plan that names no images: told beforehand, interrupted, killed, gone on with, reported."""

import json
import signal
import time
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

import db3kd
from command_line import Caller, finish, start
from db3kd.plan import parse_plan, read_plan
from db3kd.plan.learning_keys import DistillSection
from db3kd.runs import Run
from db3kd.training import Recipe
from known_teachers import Sectors
from logged_teacher import rows_seen

QUERIES = 240
_TEACHER = """
[teacher]
uri = "python:logged_teacher:decide"
input_shape = [1, 16, 16]
num_classes = 4
max_batch = 16
"""
_REST = """
[distill]
student = "made_networks:two_layers"
epochs = 2
[budget]
total = {total}
"""


@pytest.fixture
def write_plan(tmp_path: Path, log: Path) -> Callable[..., Path]:
    def write(method: str = "active", total: int = QUERIES, more: str = "") -> Path:
        path = tmp_path / "plan.toml"
        made = f'[synthesize]\nmethod = "{method}"\nprimer_architecture = "made_networks:two_layers"\n{more}\n'
        path.write_text(_TEACHER + made + _REST.format(total=total))
        return path

    return write


def _stages(call: Caller, run: Path) -> dict[str, dict[str, object]]:
    return {stage["stage"]: stage for stage in call("status", run, "--json").figures["stages"]}


@pytest.mark.parametrize("method", ["active", "priors"])
def test_a_student_and_a_report_come_of_a_teacher_alone(
    call: Caller, write_plan: Callable[..., Path], images: str, log: Path, tmp_path: Path, method: str
) -> None:
    plan, run = write_plan(method, 120), tmp_path / "run"
    told = call("run", plan, "--run", run, "--dry-run", "--no-measure", "--json").figures
    assert (told["total"]["most"], told["total"]["ahead"], told["budget"]["enough"]) == (120, 120, True)
    assert rows_seen(log) == 0
    assert not run.exists()
    report = call("run", plan, "--run", run, "--json").figures
    assert report["queries"]["total"] == rows_seen(log) == 120
    found = report["exploration"]
    assert (found["method"], found["queries"], sum(found["class_histogram"])) == (method, 120, 120)
    assert len(found["classes"]) == 4
    assert [student["name"] for student in report["students"]] == [method]
    page = (run / "report.html").read_text()
    assert "how far to trust the student" in page
    assert "data:image/png;base64,iVBOR" in page
    stages = _stages(call, run)
    assert {name: stage["state"] for name, stage in stages.items()} == dict.fromkeys(
        ("explore", "train student", "trust", "report"), "done"
    )
    # The same plan again asks nothing; held-out images may come later and are booked apart.
    plan.write_text(plan.read_text() + f'[held_out]\nsource = "{images}"\n')
    measured = call("run", plan, "--run", run, "--json").figures
    assert measured["queries"]["total"] == 120
    assert measured["queries"]["held_out"] == {"held-out": 12}
    assert {student["name"] for student in measured["students"]} == {method, "ensemble"}
    assert all(student["accuracy"] is not None for student in measured["students"])
    assert rows_seen(log) == 132
    exported = call("export", "--run", run, "--json").figures
    assert exported["same_answers"] == exported["images"] > 0
    done = call("run", plan, "--run", run, "--dry-run", "--no-measure", "--json").figures
    assert done["total"]["ahead"] == 0
    assert call("report", run, "--json").figures == measured


def test_a_budget_that_is_raised_later_does_not_change_the_rounds(
    call: Caller, write_plan: Callable[..., Path], log: Path, tmp_path: Path
) -> None:
    call("run", write_plan("priors", total=60), "--run", tmp_path / "run")
    call("run", write_plan("priors", total=900), "--run", tmp_path / "run")
    assert rows_seen(log) == 60
    call("run", write_plan("priors", total=900, more="queries = 900"), "--run", tmp_path / "run", expect=2)
    assert rows_seen(log) == 60


@pytest.mark.parametrize("method", ["active", "priors"])
def test_a_budget_below_the_queries_ends_the_rounds_and_not_the_story(
    call: Caller, write_plan: Callable[..., Path], log: Path, tmp_path: Path, method: str
) -> None:
    run = tmp_path / "run"
    plan = write_plan(method, total=120, more=f"queries = {QUERIES}")
    told = call("run", plan, "--run", run, "--dry-run", "--no-measure", "--json").figures
    assert told["budget"]["enough"] is False
    report = call("run", plan, "--run", run, "--json").figures
    # A call that does not fit whole is not sent.
    assert 120 - 16 < report["exploration"]["queries"] == rows_seen(log) <= 120
    assert report["exploration"]["planned"] == QUERIES
    assert "budget was spent" in (run / "report.html").read_text()
    trained = (run / "student.safetensors").read_bytes()
    again = call("run", plan, "--run", run, "--json").figures
    assert again["exploration"] == report["exploration"]
    assert (run / "student.safetensors").read_bytes() == trained
    assert _stages(call, run)["explore"]["state"] == "done"


def test_status_counts_the_epochs_that_suit_the_queries(
    call: Caller, write_plan: Callable[..., Path], tmp_path: Path
) -> None:
    plan = read_plan(write_plan(total=100_000, more="queries = 100000"))
    unhurried = plan.model_copy(update={"distill": DistillSection(student="made_networks:two_layers")})
    with Run(tmp_path / "run") as run:
        run.adopt(unhurried.sections())
    assert _stages(call, tmp_path / "run")["train student"]["total"] == 240


def test_a_student_of_one_line_of_python_is_measured_elsewhere(call: Caller, images: str, tmp_path: Path) -> None:
    brief = Recipe("adam", 1e-2, epochs=1, batch_size=64)
    student, run = "made_networks:one_layer", tmp_path / "run"
    db3kd.distill_without_data(Sectors((1, 16, 16), 4), student=student, budget=40, recipe=brief, run=run)
    told = call("evaluate", "--run", run, "--held-out", images, expect=2).err
    assert "made without images" in told
    assert "--weights" in told
    call("evaluate", "--weights", run / "student.safetensors", "--data", images)


@pytest.mark.parametrize(("method", "heeded"), [("active", "queries"), ("repulsion", "steps")])
def test_what_a_run_keeps_is_a_plan_again(
    write_plan: Callable[..., Path], tmp_path: Path, method: str, heeded: str
) -> None:
    text = write_plan(method).read_text()
    kept = parse_plan(tomllib.loads(text), "the test").sections()
    assert parse_plan(kept, "the test").sections() == kept
    made = kept["synthesize"]
    assert isinstance(made, dict)
    assert (heeded in made, "queries" in made, "steps" in made) == (True, method == "active", method == "repulsion")


def test_what_cannot_be_is_named_before_a_query(
    call: Caller, write_plan: Callable[..., Path], images: str, log: Path, tmp_path: Path
) -> None:
    plan, run = write_plan(), tmp_path / "run"
    text = plan.read_text()
    for more, told in (
        (f'[images]\nsource = "{images}"', "not both"),
        ('[label]\nmethod = "bd"', "label cannot be heeded"),
    ):
        plan.write_text(f"{text}\n{more}\n")
        assert told in call("run", plan, "--run", run, expect=2).err
    plan.write_text(text.replace("epochs = 2", 'softening = "inverse"'))
    assert "distill.softening" in call("run", plan, "--run", run, expect=2).err
    plan.write_text(_TEACHER)
    assert "[synthesize]" in call("run", plan, "--run", run, expect=2).err
    plan.write_text(text.replace('student = "made_networks:two_layers"', 'student = "lenet6"'))
    assert "lenet6" in call("run", plan, "--run", run, expect=2).err
    assert rows_seen(log) == 0
    assert not (run / "plan.toml").exists()


def test_repulsion_makes_images_that_are_labelled_and_distilled_in_the_same_run(
    call: Caller, log: Path, tmp_path: Path
) -> None:
    plan, run = tmp_path / "plan.toml", tmp_path / "run"
    plan.write_text(
        _TEACHER
        + """
[synthesize]
method = "repulsion"
images_per_class = 3
images_per_round = 40
rounds = 3
steps = 4
keep = [2, 4]
queries_per_step = 25
directions = 8
[label]
method = "bd"
exemplars = 2
[distill]
student = "made_networks:two_layers"
epochs = 2
baselines = []
"""
    )
    told = call("run", plan, "--run", run, "--dry-run", "--no-measure", "--json").figures
    assert {stage["stage"] for stage in told["stages"]} == {"noise", "repulsion", "label", "repeats"}
    report = call("run", plan, "--run", run, "--json").figures
    spent = rows_seen(log)
    assert report["queries"]["total"] == spent <= told["total"]["most"]
    assert set(report["queries"]["by_stage"]) == {"noise", "repulsion", "label", "repeats"}
    assert report["synthesis"]["images"] == report["students"][0]["images"]
    assert {stage["state"] for stage in _stages(call, run).values()} == {"done"}
    call("run", plan, "--run", run)
    assert rows_seen(log) == spent


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_interrupted_and_killed_it_goes_on_to_the_same_student(
    call: Caller, write_plan: Callable[..., Path], log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What a kill wastes must not end the rounds before: the budget lies above the queries.
    plan = write_plan(total=3 * QUERIES, more=f"queries = {QUERIES}")
    with monkeypatch.context() as apart:
        apart.setenv("LOGGED_ROWS", str(tmp_path / "other-rows"))
        finish(start("run", plan, "--run", tmp_path / "whole"))
    run = tmp_path / "run"
    monkeypatch.setenv("LOGGED_SECONDS", "0.05")
    lines = run / "training.jsonl"
    ready: list[tuple[Callable[[], bool], signal.Signals]] = [
        (lambda: rows_seen(log) > 20, signal.SIGINT),
        (lambda: rows_seen(log) > QUERIES // 2, signal.SIGKILL),
        (lambda: lines.exists() and '"student": "student"' in lines.read_text(), signal.SIGKILL),
    ]
    seen = []
    for is_ready, number in ready:
        process = start("run", plan, "--run", run)
        while process.poll() is None and not is_ready():
            time.sleep(0.002)
        seen.append(_stages(call, run)["explore"])
        process.send_signal(number)
        process.communicate()
        if number == signal.SIGINT:
            assert process.returncode == 130
        with Run(run) as opened:
            assert opened.statement().total >= rows_seen(log)
    assert [stage["state"] for stage in seen[:2]] == ["begun", "begun"]
    assert seen[0]["total"] == 8
    finish(start("run", plan, "--run", run))
    # At most the call in flight at each of the two ends while it asked was served and its answer lost.
    assert QUERIES <= rows_seen(log) <= QUERIES + 2 * 16
    for name in ("student.safetensors", "trust.json", "synthesis.png"):
        assert (run / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name
    assert json.loads((run / "trust.json").read_text())["queries"] == QUERIES
    assert (run / "report.html").exists()
