"""`db3kd synthesize` from noise to a student and a report, and what it says on the way."""

import json
import signal
import time
from pathlib import Path

import pytest

from command_line import Caller, finish, start
from logged_teacher import rows_seen

TEACHER = ("--teacher", "python:logged_teacher:decide", "--input-shape", "1,16,16", "--num-classes", "4")
_ASKED = (
    "synthesize",
    "--method",
    "repulsion",
    *TEACHER,
    "--images-per-class",
    3,
    "--images-per-round",
    40,
    "--rounds",
    3,
    "--steps",
    4,
)
_SYNTHESIZE = (*_ASKED, "--keep", "2,4", "--queries-per-step", 25, "--directions", 8)


def test_from_nothing_to_a_student_and_a_report(call: Caller, images: str, log: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    told = call(*_SYNTHESIZE, "--run", run, "--dry-run", "--no-measure", "--json").figures["total"]
    assert rows_seen(log) == 0
    assert not run.exists()
    made = call(*_SYNTHESIZE, "--run", run, "--json").figures
    spent = rows_seen(log)
    assert made["queries"]["by_stage"] == made["synthesis"]["queries"]
    assert made["queries"]["total"] == spent <= told["most"]
    assert Path(made["picture"]).read_bytes().startswith(b"\x89PNG")
    stages = {stage["stage"]: stage["state"] for stage in call("status", run, "--json").figures["stages"]}
    assert stages["noise"] == stages["repulsion"] == stages["decisions"] == "done"
    assert "images" in call(*_SYNTHESIZE, "--run", run).out
    label = ("label", *TEACHER, "--images", f"run:{run}", "--run", run, "--method", "sd", "--repeats", 0, "--json")
    assert call(*label).figures["queries"]["total"] == spent == rows_seen(log)
    call("distill", "--run", run, "--student", "lenet5-fifth", "--epochs", 2, "--batch-size", 16)
    report = call("evaluate", "--run", run, "--held-out", images, "--json").figures
    assert report["synthesis"] == made["synthesis"]
    assert {student["queries"] for student in report["students"]} == {spent}
    page = (run / "report.html").read_text()
    assert "Images out of nothing" in page
    assert "data:image/png;base64,iVBOR" in page
    assert call("report", run, "--json").figures == report


def test_a_budget_ends_it_with_3_and_a_larger_one_goes_on(call: Caller, log: Path, tmp_path: Path) -> None:
    call(*_SYNTHESIZE, "--run", tmp_path / "whole")
    spent = rows_seen(log)
    log.unlink()
    done = call(*_SYNTHESIZE, "--run", tmp_path / "run", "--budget", spent - 100, expect=3)
    assert "raise the budget" in done.err
    left = call(*_SYNTHESIZE, "--run", tmp_path / "run", "--dry-run", "--no-measure", "--json").figures
    assert left["budget"]["enough"] is False
    call(*_SYNTHESIZE, "--run", tmp_path / "run", "--budget", spent)
    assert rows_seen(log) == spent
    assert (tmp_path / "run/images.safetensors").read_bytes() == (tmp_path / "whole/images.safetensors").read_bytes()


def test_what_cannot_be_is_said_before_a_query(call: Caller, log: Path, tmp_path: Path) -> None:
    late = call(*_ASKED, "--keep", "2,9", "--run", tmp_path / "run", expect=2)
    assert "[9]" in late.err
    label = ("label", *TEACHER, "--method", "sd", "--run", tmp_path / "other", "--images")
    assert "no synthesized images" in call(*label, f"run:{tmp_path / 'nothing'}", expect=2).err
    assert "names no run" in call(*label, "run:", expect=2).err
    assert rows_seen(log) == 0


def test_a_part_of_the_images_may_be_labelled_in_another_run_which_pays_for_no_class_again(
    call: Caller, log: Path, tmp_path: Path
) -> None:
    call(*_SYNTHESIZE, "--run", tmp_path / "run")
    spent = rows_seen(log)
    label = ("label", *TEACHER, "--method", "sd", "--repeats", 0, "--images", f"run:{tmp_path / 'run'}")
    found = call(*label, "--limit", 5, "--run", tmp_path / "other", "--json").figures
    assert found["images"] == 5
    assert found["queries"]["total"] == rows_seen(log) - spent == 0
    # Another teacher's classes are another matter.
    anew = call(*label, "--fingerprint", "another", "--limit", 5, "--run", tmp_path / "another", "--json").figures
    assert anew["queries"]["total"] == rows_seen(log) - spent == 5
    assert "test split" in call(*label, "--split", "test", "--run", tmp_path / "third", expect=2).err


def test_ctrl_c_ends_it_with_130_and_it_goes_on_later(
    call: Caller, log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    call(*_SYNTHESIZE, "--run", tmp_path / "whole")
    spent = rows_seen(log)
    log.unlink()
    with monkeypatch.context() as slowly:
        slowly.setenv("LOGGED_SECONDS", "0.02")
        process = start(*_SYNTHESIZE, "--run", tmp_path / "run")
        while process.poll() is None and rows_seen(log) < spent // 2:
            time.sleep(0.002)
        process.send_signal(signal.SIGINT)
        finish(process, expect=130)
    call(*_SYNTHESIZE, "--run", tmp_path / "run")
    # The call in flight may have been charged and its answer lost.
    assert spent <= rows_seen(log) <= spent + 96
    assert (tmp_path / "run/images.safetensors").read_bytes() == (tmp_path / "whole/images.safetensors").read_bytes()
    assert json.loads((tmp_path / "run/synthesis.json").read_text())["queries"]["noise"] > 0


@pytest.mark.parametrize("method", ["active", "priors"])
def test_made_images_are_bought_once_and_labelled_for_nothing(
    call: Caller, log: Path, tmp_path: Path, method: str
) -> None:
    run = tmp_path / "run"
    asked = ("synthesize", "--method", method, "--queries", 60, "--primer-architecture", "lenet5-fifth", *TEACHER)
    told = call(*asked, "--run", run, "--dry-run", "--no-measure", "--json").figures["total"]
    assert (told["most"], rows_seen(log)) == (60, 0)
    made = call(*asked, "--run", run, "--json").figures
    assert made["queries"]["by_stage"] == made["synthesis"]["queries"] == {"explore": 60}
    assert made["synthesis"]["method"] == method
    assert rows_seen(log) == 60
    call(*asked, "--run", run)
    label = ("label", *TEACHER, "--images", f"run:{run}", "--run", run, "--method", "sd", "--repeats", 0, "--json")
    assert call(*label).figures["queries"]["total"] == 60 == rows_seen(log)
    call(*asked, "--seed", 5, "--run", run, expect=2)
    assert rows_seen(log) == 60


def test_the_queries_are_the_budget_and_a_plan_goes_on_for_nothing(call: Caller, log: Path, tmp_path: Path) -> None:
    run, plan = tmp_path / "run", tmp_path / "plan.toml"
    primers = ("--primer-architecture", "made_networks:one_layer")
    done = call("synthesize", "--method", "priors", "--budget", 60, *primers, *TEACHER, "--run", run)
    assert rows_seen(log) == 60
    assert "db3kd run PLAN" in done.err
    assert "pushed" not in done.out
    plan.write_text("""
        [teacher]
        uri = "python:logged_teacher:decide"
        input_shape = [1, 16, 16]
        num_classes = 4
        [synthesize]
        method = "priors"
        [distill]
        student = "made_networks:one_layer"
        epochs = 2
        [budget]
        total = 60
    """)
    report = call("run", plan, "--run", run, "--json").figures
    assert report["exploration"]["queries"] == report["queries"]["total"] == rows_seen(log) == 60


def test_no_budget_binds_a_run_to_more_than_it_allows(call: Caller, log: Path, tmp_path: Path) -> None:
    asked = ("synthesize", "--method", "priors", "--primer-architecture", "made_networks:one_layer", *TEACHER)
    assert "at least 1 query" in call(*asked, "--budget", 0, "--run", tmp_path / "run", expect=2).err
    call(*asked, "--explore-budget", 40, "--budget", 60, "--run", tmp_path / "run")
    assert rows_seen(log) == 40


def test_options_of_another_method_are_refused_by_name(call: Caller, log: Path, tmp_path: Path) -> None:
    told = call(*_ASKED, "--queries", 100, "--run", tmp_path / "run", expect=2).err
    assert "queries cannot be heeded by method repulsion" in told
    told = call("synthesize", *TEACHER, "--steps", 4, "--search", "mbd", "--run", tmp_path / "run", expect=2).err
    assert "search, steps cannot be heeded by method active" in told
    assert rows_seen(log) == 0
    assert not (tmp_path / "run").exists()
