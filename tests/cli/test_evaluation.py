"""`db3kd evaluate`: a run, or one network by itself, is measured on held-out images."""

from pathlib import Path

from command_line import TEACHER, Caller
from logged_teacher import rows_seen


def test_evaluate_measures_a_network_by_itself(call: Caller, images: str, log: Path, trained: Path) -> None:
    seen = rows_seen(log)
    asked = ("evaluate", "--weights", trained / "student.safetensors", "--data", images)
    alone = call(*asked, "--json").figures
    assert alone["agreement"] is None
    beside = call(*asked, *TEACHER, "--json").figures
    assert beside["accuracy"] == alone["accuracy"]
    assert beside["agreement"] is not None
    assert beside["held_out_queries"] == rows_seen(log) - seen == 12
    assert "accuracy" in call(*asked).out
    call("evaluate", expect=2)
    call("evaluate", trained, "--data", images, expect=2)
    assert "names no held-out images" in call("evaluate", trained, expect=2).err


def test_evaluate_takes_the_same_teacher_from_another_place(
    call: Caller, images: str, log: Path, trained: Path
) -> None:
    moved = ("--teacher", f"{TEACHER[1]}&patience=3")
    report = call("evaluate", trained, "--held-out", images, *moved, "--json").figures
    assert report["students"][0]["agreement"] is not None
    assert "patience" not in (trained / "plan.toml").read_text()
