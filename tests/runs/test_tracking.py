"""Figures of trainings and rounds are heard as they come, by whoever was named, and change nothing."""

import sys
from collections import defaultdict
from pathlib import Path

import pytest

import db3kd
from db3kd.context import silent, untracked
from db3kd.errors import PlanError
from db3kd.runs import Run
from db3kd.runs.tensorboard import LOG
from db3kd.runs.tracking import tracking
from known_teachers import Sectors
from known_trackers import Listening, heard_by, read_log
from made_runs import (
    CLASSES,
    NETWORK,
    QUICK,
    SHAPE,
    Small,
    images,
    make_small,
    parts_of,
    stories,
    told,
)


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    make_small(monkeypatch)
    monkeypatch.setattr("db3kd.runs.notebook._SECONDS_BETWEEN_STATES", -1.0)


def test_epochs_and_rounds_are_heard_and_change_nothing(tmp_path: Path) -> None:
    tracker = Listening()
    told(stories(Small())["pool"], tmp_path / "plain")
    told(stories(Small())["pool"], tmp_path / "heard", context=heard_by(tracker))
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


def test_python_takes_a_name_or_an_object(tmp_path: Path) -> None:
    teacher, tracker = Sectors(SHAPE, CLASSES), Listening()
    asked = {"student": NETWORK, "recipe": QUICK, "budget": 12, "progress": silent}
    db3kd.distill(teacher, images(), track=tracker, **asked)  # type: ignore[arg-type]  # as it is called
    assert ("student", "loss") in tracker.heard
    assert not tracker.closed
    db3kd.distill(teacher, images(), track="tensorboard", run=tmp_path, **asked)  # type: ignore[arg-type]  # likewise
    assert ("student", "loss") in read_log(tmp_path / LOG)
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
