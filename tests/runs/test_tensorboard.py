"""A log of TensorBoard holds what was heard, once, also where a run was interrupted."""

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from db3kd.context import Tracker
from db3kd.errors import InputError
from db3kd.runs.tensorboard import LOG, TensorBoard
from known_trackers import Listening, heard_by, read_log
from made_runs import MEMBERS, Small, Stopped, make_small, parts_of, stories, told


@pytest.fixture
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    make_small(monkeypatch)
    monkeypatch.setattr("db3kd.runs.notebook._SECONDS_BETWEEN_STATES", -1.0)


def test_each_figure_is_there_at_its_step_before_the_log_is_closed(tmp_path: Path) -> None:
    assert isinstance(TensorBoard(tmp_path), Tracker)
    log = TensorBoard(tmp_path)
    log("student", 1, {"loss": 0.5, "rate": 0.25})
    log("student", 2, {"loss": 0.125})
    log("committee/00001", 7, {"loss": 2.0})
    expected = {
        ("student", "loss"): [(1, 0.5), (2, 0.125)],
        ("student", "rate"): [(1, 0.25)],
        ("committee/00001", "loss"): [(7, 2.0)],
    }
    assert read_log(tmp_path / LOG) == expected
    log.close()
    log.close()
    assert read_log(tmp_path / LOG) == expected


def test_what_was_heard_after_the_step_at_which_it_goes_on_is_taken_back(tmp_path: Path) -> None:
    first = TensorBoard(tmp_path)
    for step in (1, 2, 3):
        first("student", step, {"loss": float(step)})
    first("answers", 12, {"asked": 4.0})
    first.close()
    second = TensorBoard(tmp_path)
    second("student", 2, {"loss": 20.0})
    second.close()
    assert read_log(tmp_path / LOG) == {
        ("student", "loss"): [(1, 1.0), (2, 20.0)],
        ("answers", "asked"): [(12, 4.0)],
    }


@pytest.mark.usefixtures("_small")
def test_a_run_that_was_interrupted_is_one_log(tmp_path: Path) -> None:
    # Few trainings: TensorBoard sorts the files of one second by name, in which 10 comes before 9.
    story = replace(stories(Small())["pool"], committee=MEMBERS)
    told(story, tmp_path / "plain", context=heard_by(TensorBoard(tmp_path / "plain")))
    whole = read_log(tmp_path / "plain" / LOG)
    assert {("student", "loss"), ("answers", "asked"), ("agreement", "gain")} <= set(whole)
    second_round, _ = whole["answers", "round"][1]
    for stop_at in (("answers", second_round), ("committee/00001", 2), ("student", 1)):
        with pytest.raises(Stopped):
            told(story, tmp_path / "run", context=heard_by(_Both(tmp_path / "run", stop_at)))
    told(story, tmp_path / "run", context=heard_by(TensorBoard(tmp_path / "run")))
    assert parts_of(tmp_path / "plain") == parts_of(tmp_path / "run")
    seen = read_log(tmp_path / "run" / LOG)
    assert {key: [step for step, _ in values] for key, values in seen.items()} == {
        key: [step for step, _ in values] for key, values in whole.items()
    }
    timeless = [key for key in whole if key[1] not in ("seconds", "images_per_second")]
    assert {key: seen[key] for key in timeless} == {key: whole[key] for key in timeless}


class _Both:
    """A log, and an end at some step."""

    def __init__(self, folder: Path, stop_at: tuple[str, int]) -> None:
        self._log, self._end = TensorBoard(folder), Listening(stop_at)

    def __call__(self, source: str, step: int, figures: Mapping[str, float]) -> None:
        self._log(source, step, figures)
        self._end(source, step, figures)


def test_a_log_that_cannot_be_written_is_told_once_and_ends_no_run(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / LOG).write_text("no folder")
    log = TensorBoard(tmp_path)
    for step in (1, 2):
        log("student", step, {"loss": 0.5})
    log.close()
    (said,) = [record.getMessage() for record in caplog.records]
    assert "could not be written" in said
    assert "the run goes on without it, and keeps all figures in training.jsonl" in said


def test_what_is_not_installed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(InputError, match=r"needs the extra tracking, .* pip install 'db3kd\[tracking\]'"):
        TensorBoard(tmp_path)
