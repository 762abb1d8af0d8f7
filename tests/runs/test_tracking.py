"""Figures of trainings and rounds are heard as they come, change nothing, and are one log after an interruption."""

import sys
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

import db3kd
from db3kd.context import Context, Tracker, silent, untracked
from db3kd.errors import InputError, PlanError
from db3kd.runs import Run
from db3kd.runs.tensorboard import LOG, TensorBoard
from db3kd.runs.tracking import tracking
from known_teachers import Sectors
from made_runs import (
    CLASSES,
    MEMBERS,
    NETWORK,
    QUICK,
    SHAPE,
    Small,
    Stopped,
    images,
    make_small,
    parts_of,
    stories,
    told,
)

Heard = dict[tuple[str, str], list[tuple[int, float]]]


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    make_small(monkeypatch)
    monkeypatch.setattr("db3kd.runs.notebook._SECONDS_BETWEEN_STATES", -1.0)


class Listening:
    """A tracker of a user's own; it may be told to stop the process."""

    def __init__(self, stop_at: tuple[str, int] | None = None) -> None:
        self.heard: Heard = defaultdict(list)
        self.closed, self._stop_at = False, stop_at

    def __call__(self, source: str, step: int, figures: Mapping[str, float]) -> None:
        for name, value in figures.items():
            self.heard[source, name].append((step, value))
        if (source, step) == self._stop_at:
            raise Stopped

    def close(self) -> None:
        self.closed = True


def _context(tracker: Tracker) -> Context:
    return Context(progress=silent, tracker=tracker)


def _read(log: Path) -> Heard:
    """What TensorBoard itself reads of a log."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found: Heard = {}
    for folder in sorted({path.parent for path in log.rglob("events.*")}):
        read = EventAccumulator(str(folder)).Reload()
        for name in read.Tags()["scalars"]:
            found[str(folder.relative_to(log)), name] = [(one.step, one.value) for one in read.Scalars(name)]
    return found


def test_epochs_and_rounds_are_heard_and_change_nothing(tmp_path: Path) -> None:
    tracker = Listening()
    told(stories(Small())["pool"], tmp_path / "plain")
    told(stories(Small())["pool"], tmp_path / "heard", context=_context(tracker))
    assert parts_of(tmp_path / "plain") == parts_of(tmp_path / "heard")
    lines = Run(tmp_path / "heard").lines()
    for name in ("loss", "rate", "images_per_second"):
        noted = defaultdict(list)
        for line in lines:
            noted[str(line["part"]), name].append((int(str(line["epoch"])), line[name]))
        assert noted == {key: values for key, values in tracker.heard.items() if key[1] == name}
    rounds = tracker.heard["answers", "asked"]
    assert [step for step, _ in rounds] == [int(sum(asked for _, asked in rounds[: n + 1])) for n in range(len(rounds))]
    assert len(rounds) == len(list((tmp_path / "heard/answers").glob("*.safetensors")))
    agreements = tracker.heard["agreement", "agreement"]
    assert agreements
    assert all(0 <= value <= 1 for _, value in agreements)


def test_a_run_that_was_interrupted_is_one_log(tmp_path: Path) -> None:
    # Few trainings: TensorBoard sorts the files of one second by name, in which 10 comes before 9.
    story = replace(stories(Small())["pool"], committee=MEMBERS)
    told(story, tmp_path / "plain", context=_context(TensorBoard(tmp_path / "plain")))
    whole = _read(tmp_path / "plain" / LOG)
    assert {("student", "loss"), ("answers", "asked"), ("agreement", "gain")} <= set(whole)
    second_round, _ = whole["answers", "round"][1]
    for stop_at in (("answers", second_round), ("committee/00001", 2), ("student", 1)):
        with pytest.raises(Stopped):
            told(story, tmp_path / "run", context=_context(_Both(tmp_path / "run", stop_at)))
    told(story, tmp_path / "run", context=_context(TensorBoard(tmp_path / "run")))
    assert parts_of(tmp_path / "plain") == parts_of(tmp_path / "run")
    seen = _read(tmp_path / "run" / LOG)
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


def test_python_takes_a_name_or_an_object(tmp_path: Path) -> None:
    teacher, tracker = Sectors(SHAPE, CLASSES), Listening()
    asked = {"student": NETWORK, "recipe": QUICK, "budget": 12, "progress": silent}
    db3kd.distill(teacher, images(), track=tracker, **asked)  # type: ignore[arg-type]  # as it is called
    assert ("student", "loss") in tracker.heard
    assert not tracker.closed
    db3kd.distill(teacher, images(), track="tensorboard", run=tmp_path, **asked)  # type: ignore[arg-type]  # likewise
    assert ("student", "loss") in _read(tmp_path / LOG)
    with pytest.raises(PlanError, match="name its directory with run="):
        db3kd.distill(teacher, images(), track="tensorboard", **asked)  # type: ignore[arg-type]  # likewise


def test_a_factory_is_called_with_the_folder_and_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []

    def factory(folder: Path) -> Listening:
        made.append((folder, Listening()))
        return made[-1][1]

    monkeypatch.setattr("db3kd.runs.tracking.TRACKERS", {"mine": "made_trackers:factory", "none": "made_trackers:none"})
    module = type(sys)("made_trackers")
    module.factory, module.none = factory, lambda folder: None  # type: ignore[attr-defined]  # made at run time
    monkeypatch.setitem(sys.modules, "made_trackers", module)
    with tracking("mine", tmp_path) as tracker:
        assert (tmp_path, tracker) == made[0]
    assert made[0][1].closed
    with pytest.raises(PlanError, match="gave a NoneType, which cannot be called"), tracking("none", tmp_path):
        pass
    with pytest.raises(PlanError, match="expected one of mine, none"), tracking("other", tmp_path):
        pass
    with tracking(None, None) as nobody:
        assert nobody is untracked


def test_what_is_not_installed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(InputError, match=r"needs the extra tracking, .* pip install 'db3kd\[tracking\]'"):
        TensorBoard(tmp_path)
