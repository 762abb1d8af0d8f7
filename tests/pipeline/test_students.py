"""Students are taught what was bought; a training that was interrupted ends as if it had not been."""

from pathlib import Path

import pytest

from db3kd.errors import ArtifactError
from db3kd.models import weights
from db3kd.pipeline import Distillation, students
from db3kd.pipeline.lessons import own_lesson
from db3kd.pipeline.students import last_losses, train
from db3kd.runs import Run
from db3kd.training import Recipe
from made_transfers import made_transfer

ARCHITECTURE = "made_networks:two_layers"
RECIPE = Recipe("adam", 1e-2, epochs=4, batch_size=16)
DISTILLATION = Distillation(ARCHITECTURE, RECIPE)


class _Stop(Exception):
    pass


def _train(folder: Path, *, stop_after: int | None = None) -> bytes:
    transfer = made_transfer()

    def progress(stage: str, done: int, total: int, unit: str) -> None:
        assert (stage, total, unit) == ("train student", 4, "epochs")
        if done == stop_after:
            raise _Stop

    with Run(folder) as run:
        objective = own_lesson("bd", transfer, DISTILLATION).objective
        train(
            run,
            "student",
            transfer.images,
            objective,
            architecture=ARCHITECTURE,
            recipe=RECIPE,
            seed=3,
            progress=progress,
        )
    return (folder / "student.safetensors").read_bytes()


@pytest.fixture
def _state_each_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(students, "_SECONDS_BETWEEN_STATES", -1.0)


def _epochs(folder: Path) -> list[int]:
    with Run(folder) as run:
        return [int(str(line["epoch"])) for line in run.lines()]


@pytest.mark.usefixtures("_state_each_epoch")
@pytest.mark.parametrize("stops", [(1,), (3,), (1, 2, 3)], ids=str)
def test_a_training_that_was_interrupted_and_resumed_is_byte_for_byte_the_same(
    tmp_path: Path, stops: tuple[int, ...]
) -> None:
    whole = _train(tmp_path / "whole")
    for stop in stops:
        with pytest.raises(_Stop):
            _train(tmp_path / "parts", stop_after=stop)
        assert (tmp_path / "parts" / "student.state.safetensors").exists()
        assert not (tmp_path / "parts" / "student.safetensors").exists()
    assert _train(tmp_path / "parts") == whole
    # It did go on, and each epoch is told once.
    assert _epochs(tmp_path / "parts") == _epochs(tmp_path / "whole") == [1, 2, 3, 4]
    assert not (tmp_path / "parts" / "student.state.safetensors").exists()


def test_without_a_state_it_starts_anew_to_the_same_bytes(tmp_path: Path) -> None:
    with pytest.raises(_Stop):
        _train(tmp_path / "parts", stop_after=2)
    assert not (tmp_path / "parts" / "student.state.safetensors").exists()
    assert _train(tmp_path / "parts") == _train(tmp_path / "whole")
    assert _epochs(tmp_path / "parts") == [1, 2, 3, 4]


@pytest.mark.usefixtures("_state_each_epoch")
@pytest.mark.parametrize("file", ["student.state.safetensors", "student.safetensors"])
def test_a_file_that_was_edited_is_refused_by_name(tmp_path: Path, file: str) -> None:
    if "state" in file:
        with pytest.raises(_Stop):
            _train(tmp_path, stop_after=2)
    else:
        _train(tmp_path)
    content = bytearray((tmp_path / file).read_bytes())
    content[-1] ^= 1
    (tmp_path / file).write_bytes(content)
    with pytest.raises(ArtifactError, match=file.replace(".", r"\.")):
        _train(tmp_path)


def test_a_finished_student_is_read_and_not_trained_again(tmp_path: Path) -> None:
    _train(tmp_path)
    lines = (tmp_path / "training.jsonl").read_bytes()
    transfer = made_transfer()
    with Run(tmp_path) as run:
        student = train(
            run,
            "student",
            transfer.images,
            own_lesson("bd", transfer, DISTILLATION).objective,
            architecture=ARCHITECTURE,
            recipe=RECIPE,
            seed=3,
        )
        losses = last_losses(run)
    assert not student.training
    assert (tmp_path / "training.jsonl").read_bytes() == lines
    assert list(losses) == ["student"]
    assert losses["student"] > 0


def test_what_is_kept_is_weights_with_their_architecture_and_no_pickled_network(tmp_path: Path) -> None:
    """The reference implementation pickles whole networks."""
    data = _train(tmp_path)
    module, header = weights.from_bytes(data, "student")
    assert header["architecture"] == ARCHITECTURE
    assert header["dataset"] == "made"
    assert module(made_transfer().images.images()).shape == (40, 3)
    for file in tmp_path.rglob("*"):
        # A pickle begins with 0x80 and its protocol, or lies in a zip archive.
        assert file.is_dir() or not file.read_bytes().startswith((b"\x80", b"PK"))
