"""Each command's happy path, what it prints, and that --json is JSON and nothing else."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import db3kd
from command_line import Caller, start
from db3kd.runs import Run
from logged_teacher import rows_seen, write_images

_TRAIN = ("train", "--architecture", "lenet5-fifth", "--epochs", 40, "--batch-size", 16, "--rate", 0.01)
_SHORT = ("--student", "lenet5-fifth", "--epochs", 2, "--batch-size", 16)


def test_train_gives_a_teacher_that_label_can_ask(call: Caller, images: str, tmp_path: Path) -> None:
    done = call(*_TRAIN, "--data", images, "--run", tmp_path / "t", "--json")
    assert done.figures["test"]["accuracy"] > 0.5
    assert done.figures["parameters"] == 1_718
    assert json.loads((tmp_path / "t/train.json").read_text()) == done.figures
    uri = f"torch:lenet5-fifth@{tmp_path / 't/model.safetensors'}"
    label = ("label", "--teacher", uri, "--images", images, "--run", tmp_path / "l", "--json")
    found = call(*label, "--method", "sd").figures
    asked = {"total": 40, "by_stage": {"decisions": 24, "repeats": 16}, "held_out": {}, "unsettled": 0}
    assert found["queries"] == {**asked, "repeated": 16, "changed": 0}
    again = call(*_TRAIN, "--data", images, "--run", tmp_path / "t")
    assert "accuracy" in again.out
    assert f"--teacher {uri}" in again.err
    shown = call("status", tmp_path / "t", "--json").figures["stages"]
    assert shown == [{"stage": "train model", "state": "done", "done": 40, "total": 40, "unit": "epochs"}]


def test_train_without_a_test_split_says_so(call: Caller, tmp_path: Path) -> None:
    write_images(tmp_path / "both.npz")
    with np.load(tmp_path / "both.npz") as both:
        np.savez(tmp_path / "one.npz", images=both["images"], labels=both["labels"])
    done = call(*_TRAIN, "--data", f"npz:{tmp_path / 'one.npz'}", "--run", tmp_path / "t", "--json")
    assert done.figures["test"] is None
    assert "images_test" in done.err


def test_label_distill_evaluate_report_one_after_the_other(
    call: Caller, bd: tuple[str, ...], images: str, log: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    bought = call(*bd, "--run", run, "--json").figures
    assert bought["queries"]["total"] == rows_seen(log) > 24
    assert bought["labelling"]["pairs"] == 72
    trained = call("distill", "--run", run, *_SHORT, "--json").figures["students"]
    assert [student["name"] for student in trained] == ["true-labels", "hard-decisions", "bd"]
    assert all(Path(student["file"]).exists() for student in trained)
    report = call("evaluate", "--run", run, "--held-out", images, "--json").figures
    assert report["queries"]["held_out"] == {"held-out": 12}
    assert report["queries"]["total"] == bought["queries"]["total"]
    assert all(0 <= student["agreement"] <= 1 for student in report["students"])
    assert json.loads((run / "report.json").read_text()) == report
    page = (run / "report.html").read_bytes()
    (run / "report.html").unlink()
    shown = call("report", run)
    assert "decisions, smoothed" in shown.out
    assert (run / "report.html").read_bytes() == page
    assert call("report", run, "--json").figures == report
    assert rows_seen(log) == bought["queries"]["total"] + 12


def test_what_one_run_bought_teaches_a_student_in_another(
    call: Caller, bd: tuple[str, ...], images: str, log: Path, tmp_path: Path
) -> None:
    call(*bd, "--run", tmp_path / "bought")
    seen = rows_seen(log)
    transfer = tmp_path / "bought/transfer.safetensors"
    bought = ("--transfer", transfer, "--baselines", "none", "--softening", "proportional")
    asked = ("distill", "--run", tmp_path / "other", *_SHORT, *bought)
    call(*asked)
    assert [student["name"] for student in call(*asked, "--json").figures["students"]] == ["bd"]
    assert rows_seen(log) == seen
    report = call("evaluate", "--run", tmp_path / "other", "--held-out", images, "--json").figures
    assert report["queries"]["total"] == 0
    # What was asked again to see whether the teacher is constant is no cost of the labels.
    assert report["students"][0]["queries"] == seen - 16


def test_evaluate_measures_a_network_by_itself(call: Caller, images: str, log: Path, tmp_path: Path) -> None:
    call(*_TRAIN, "--data", images, "--run", tmp_path / "t")
    asked = ("evaluate", "--weights", tmp_path / "t/model.safetensors", "--data", images)
    alone = call(*asked, "--json").figures
    assert alone["agreement"] is None
    teacher = ("--teacher", "python:logged_teacher:decide", "--input-shape", "1,16,16", "--num-classes", 4)
    beside = call(*asked, *teacher, "--json").figures
    assert beside["accuracy"] == alone["accuracy"]
    assert beside["agreement"] is not None
    assert beside["held_out_queries"] == rows_seen(log) == 12
    assert "accuracy" in call(*asked).out


def test_run_does_the_whole_plan_and_again_does_nothing(call: Caller, plan: Path, log: Path, tmp_path: Path) -> None:
    report = call("run", plan, "--run", tmp_path / "run", "--json").figures
    assert {student["name"] for student in report["students"]} == {"true-labels", "hard-decisions", "mbd"}
    assert report["queries"]["total"] + 12 == rows_seen(log)
    assert report["seconds"] > 0
    seen = rows_seen(log)
    assert "decisions, smoothed" in call("run", plan, "--run", tmp_path / "run").out
    assert rows_seen(log) == seen
    status = call("status", tmp_path / "run", "--json").figures
    assert {stage["state"] for stage in status["stages"]} == {"done"}
    assert status["queries"]["total"] == report["queries"]["total"]
    assert status["left"] == {"total": 100_000 - report["queries"]["total"]}
    assert status["money"] == pytest.approx(report["queries"]["total"] * 1.5 / 1000)
    assert "left of the budget" in call("status", tmp_path / "run").out


class TestDryRun:
    def test_tells_queries_time_and_money_and_writes_nothing(
        self, call: Caller, plan: Path, log: Path, tmp_path: Path
    ) -> None:
        found = call("run", plan, "--run", tmp_path / "run", "--dry-run", "--json").figures
        assert [(stage["stage"], stage["most"]) for stage in found["stages"]] == [
            ("decisions", 24),
            ("label", 24 * 3 * 80),
            ("repeats", 16),
            ("held-out", 12),
        ]
        assert found["total"]["ahead"] == 5_800
        assert found["total"]["money"] == pytest.approx(5.8 * 1.5)
        assert found["total"]["seconds"] == pytest.approx(5_800 / found["speed"]["rows_per_second"])
        assert found["budget"] == {"total": 100_000, "left": 100_000, "enough": True}
        assert found["speed"]["asked"] == rows_seen(log) > 0
        assert not (tmp_path / "run").exists()

    def test_can_leave_the_teacher_alone(self, call: Caller, plan: Path, log: Path, tmp_path: Path) -> None:
        done = call("run", plan, "--run", tmp_path / "run", "--dry-run", "--no-measure")
        assert "5,800" in done.out
        assert "USD" in done.out
        assert "not asked" in done.err
        assert rows_seen(log) == 0

    def test_what_is_done_is_not_told_again(self, call: Caller, plan: Path, log: Path, tmp_path: Path) -> None:
        call("run", plan, "--run", tmp_path / "run")
        seen = rows_seen(log)
        found = call("run", plan, "--run", tmp_path / "run", "--dry-run", "--json").figures
        assert found["total"]["ahead"] == 0
        assert rows_seen(log) == seen

    def test_a_plan_that_the_run_would_refuse_is_refused(
        self, call: Caller, plan: Path, log: Path, tmp_path: Path
    ) -> None:
        call("run", plan, "--run", tmp_path / "run")
        plan.write_text(plan.read_text().replace("queries_per_pair = 80", "queries_per_pair = 300"))
        done = call("run", plan, "--run", tmp_path / "run", "--dry-run", expect=2)
        assert "label.queries_per_pair is 80" in done.err


def test_check_teacher_gives_a_verdict_and_plan_lines(
    call: Caller, images: str, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ("check-teacher", "python:logged_teacher:decide?num_classes=4", "--input-shape", "1,16,16")
    found = call(*asked, "--data", images, "--json").figures
    assert found["verdict"] == "good"
    assert found["agreements"][0]["right"] == 12
    assert found["queries"] == rows_seen(log) <= 200
    assert 'uri = "python:logged_teacher:decide"' in found["plan"]
    shown = call(*asked)
    assert "num_classes = 4" in shown.out
    monkeypatch.setenv("LOGGED_FAILS_AFTER", "0")
    assert "the service is gone" in call(*asked, expect=4).err


def test_version_and_help_are_there_without_torch() -> None:
    code = "import sys\ntry:\n main(['--help'])\nexcept SystemExit:\n print('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", f"from db3kd.cli import main\n{code}"], check=True, capture_output=True, text=True
    )
    assert done.stdout.strip().endswith("False")
    assert "db3kd" in done.stdout


def test_python_m_is_the_program(call: Caller) -> None:
    assert call("--version").out.strip() == db3kd.__version__
    done = subprocess.run([sys.executable, "-m", "db3kd", "--version"], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == db3kd.__version__


def test_status_works_beside_the_process_that_writes(
    call: Caller, plan: Path, log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGGED_SECONDS", "0.02")
    process = start("run", plan, "--run", tmp_path / "run")
    try:
        while rows_seen(log) < 500:
            assert process.poll() is None
        status = call("status", tmp_path / "run", "--json").figures
        assert {stage["stage"]: stage["state"] for stage in status["stages"]}["label"] == "begun"
        assert status["queries"]["total"] >= 500
        assert status["queries"]["unsettled"] > 0
        refused = call("run", plan, "--run", tmp_path / "run", expect=2)
        assert str(process.pid) in refused.err
    finally:
        process.kill()
        process.communicate()
    with Run(tmp_path / "run") as run:
        assert run.statement().total >= rows_seen(log)
