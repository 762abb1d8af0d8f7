"""A run as a command opens it: its plan and what is asked for now, and images that are decoded once."""

from contextlib import suppress
from pathlib import Path

import pytest
import torch

from command_line import TEACHER, Caller, settings
from db3kd.cli.session import Session, open_session, reading
from db3kd.errors import PlanError, RunMismatch
from db3kd.plan import Content, merged
from db3kd.progress import showing
from db3kd.runs import Run
from db3kd.teachers.watched import WatchedTeacher
from logged_teacher import rows_seen
from made_pictures import write_folder


def test_a_folder_of_pictures_of_all_kinds_is_a_source(
    call: Caller, log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("db3kd.data.pixel_rows.KEPT_FROM", 0)
    folder = write_folder(tmp_path / "photos")
    (folder / "empty.jpg").write_bytes(b"")
    asked = ("label", *TEACHER, "--images", folder, *settings(images__fit="pad"), "--run", tmp_path / "run")
    call(*asked, "--dry-run", "--no-measure")
    assert not (tmp_path / "run").exists()
    done = call(*asked)
    assert rows_seen(log) == 20
    assert "20 of photos/train" in done.out
    assert "21 images brought to 16x16 gray (pad): 19 scaled" in done.err
    assert "1 of 21 images cannot be read and were left out: empty.jpg" in done.err
    assert (tmp_path / "run/pixels/images.pixels").stat().st_size == 20 * 16 * 16
    stopped = call(*asked, *settings(images__broken="stop"), expect=2)
    assert "images.broken" in stopped.err
    other = call("label", *TEACHER, "--images", tmp_path / "nowhere", "--run", tmp_path / "other", expect=2)
    assert "no such folder" in other.err


CONTENT: Content = {"teacher": {"uri": TEACHER[1]}, "run": {"seed": 7}}


def test_a_run_is_opened_with_what_is_said_now_and_what_it_was_begun_with(
    images: str, log: Path, tmp_path: Path
) -> None:
    with Run(tmp_path / "run") as run:
        first = open_session(run, merged(CONTENT, {"images": {"source": images}}), "cpu")
        assert first.cluster is None
        assert first.keeper().context.seed == 7
        assert run.plan() is None, "a run is not bound by being opened"
        with first.adopted():
            pass
        again = open_session(run, {"budget": {"total": 5}}, "cpu")
        assert again.plan.teacher == first.plan.teacher
        assert (again.plan.run.seed, again.story.budget.total) == (7, 5)
        with pytest.raises(RunMismatch, match="seed"):
            open_session(run, {"run": {"seed": 8}}, "cpu")
        beside = open_session(run, {}, "cpu", aside={"teacher": {"uri": f"{TEACHER[1]}&patience=3"}})
        assert beside.plan.teacher == first.plan.teacher, "what holds for once is no part of the run"
    assert rows_seen(log) == 0


def _work(session: Session, error: Exception) -> bytes | None:
    """What the plan of the run is within the work, which ends with an error."""
    within = None
    with suppress(type(error)), session.adopted():
        within = session.run.get("plan.toml")
        raise error
    return within


def test_a_plan_that_the_run_refuses_is_not_kept(images: str, log: Path, tmp_path: Path) -> None:
    with Run(tmp_path / "run") as run:
        session = open_session(run, merged(CONTENT, {"images": {"source": images}}), "cpu")
        with session.adopted():
            pass
        kept = run.get("plan.toml")
        larger = open_session(run, {"budget": {"total": 5}}, "cpu")
        assert _work(larger, RunMismatch("it was made for something else")) != kept
        assert run.get("plan.toml") == kept
        _work(larger, KeyError())
        assert run.get("plan.toml") != kept, "whatever else ends it, it goes on by this plan"


def test_without_a_teacher_nothing_is_opened(tmp_path: Path) -> None:
    with Run(tmp_path / "run") as run, pytest.raises(PlanError, match="no teacher is named"):
        open_session(run, {}, "cpu")


def test_rows_that_the_teacher_answers_show_in_the_progress(images: str, log: Path, tmp_path: Path) -> None:
    shown: list[str] = []
    with Run(tmp_path / "run") as run, showing(shown.append) as stages:
        session = open_session(run, merged(CONTENT, {"images": {"source": images}}), "cpu")
        with session.asking(stages) as story:
            assert isinstance(story.teacher, WatchedTeacher)
            story.teacher(torch.zeros(3, 1, 16, 16))
    assert rows_seen(log) == 3


def test_reading_is_silent_until_something_is_decoded(tmp_path: Path) -> None:
    with reading() as place:
        assert place.folder is None
        assert place.progress is not None
        place.progress("images", 1, 2, "images")
    with Run(tmp_path / "run") as run, reading(run) as place:
        assert place.folder is not None
        assert place.folder() == tmp_path / "run/pixels"
