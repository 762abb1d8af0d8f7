"""A training's notes: each epoch is a line once, and a state is given back only to the training that it belongs to."""

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from db3kd.context import Context
from db3kd.errors import ArtifactError
from db3kd.runs import Keeper, Kept, Key, Notebook, Outline, Part, Run

PART = Part("student", epochs=4)


class Trains:
    """A stage of one training."""

    kind = "db3kd-test-1"
    source = ""
    outline = Outline("student", (PART,))

    def __init__(self, seed: int = 0) -> None:
        self.key: Key = {"seed": seed}

    def make(self, number: int, before: Sequence[Kept], keeper: Keeper) -> Kept:
        raise NotImplementedError

    def join(self, parts: Sequence[Kept]) -> None:
        return None


@pytest.fixture(autouse=True)
def _state_each_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("db3kd.runs.notebook._SECONDS_BETWEEN_STATES", -1.0)


def _note(notebook: Notebook, *epochs: int) -> None:
    for epoch in epochs:
        notebook.note(epoch, {"loss": float(epoch)}, lambda: {"weights": torch.tensor([1.0])})


def test_a_state_comes_back_and_lines_after_it_go(tmp_path: Path) -> None:
    with Run(tmp_path) as run:
        notebook = Keeper(run).training(PART, Trains())
        assert notebook.resume() is None
        _note(notebook, 1, 2)
        run.append_line({"part": "student", "epoch": 3})
        run.append_line({"part": "another", "epoch": 3})
        state = Keeper(run).training(PART, Trains()).resume()
        assert state is not None
        assert (state[0], state[1]["weights"].tolist()) == (2, [1.0])
        assert [(line["part"], line["epoch"]) for line in run.lines()] == [
            ("student", 1),
            ("student", 2),
            ("another", 3),
        ]


def test_the_state_of_another_training_is_left_alone_and_its_lines_go(tmp_path: Path) -> None:
    with Run(tmp_path) as run:
        notebook = Keeper(run).training(PART, Trains())
        notebook.resume()
        _note(notebook, 1, 2)
        assert Keeper(run).training(PART, Trains(seed=1)).resume() is None
        assert run.lines() == ()


def test_an_edited_state_is_named(tmp_path: Path) -> None:
    with Run(tmp_path) as run:
        _note(Keeper(run).training(PART, Trains()), 1)
        file = tmp_path / "student.state"
        file.write_bytes(file.read_bytes()[:-1])
        with pytest.raises(ArtifactError, match=r"student\.state.*starts anew"):
            Keeper(run).training(PART, Trains()).resume()


def test_the_last_epoch_leaves_no_state_and_all_are_heard(tmp_path: Path) -> None:
    heard: list[tuple[str, int, int, str]] = []
    with Run(tmp_path) as run:
        keeper = Keeper(run, Context(progress=lambda *told: heard.append(told)))
        notebook = keeper.training(PART, Trains())
        notebook.resume()
        _note(notebook, 4)
    assert not (tmp_path / "student.state").exists()
    assert heard == [("student", 0, 4, "epochs"), ("student", 4, 4, "epochs")]
