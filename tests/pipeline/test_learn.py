"""A training that was interrupted anywhere ends as if it had not been; a finished one is read."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from db3kd.context import Context
from db3kd.errors import ArtifactError
from db3kd.models import weights
from db3kd.pipeline.learn import Fixed, LearnCommittee, Training, network_of, train_part
from db3kd.runs import Keeper, Run
from db3kd.training import Material, Objective
from made_answers import CLASSES, SHAPE, answered
from made_runs import MEMBERS, NETWORK, QUICK, Stopped, parts_of

ANSWERS = answered(60)
RECIPE = replace(QUICK, epochs=4)


@pytest.fixture(autouse=True)
def _state_each_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("db3kd.runs.notebook._SECONDS_BETWEEN_STATES", -1.0)


def _stage(seed: int = 3, answers: int = 60) -> LearnCommittee:
    some = ANSWERS.take(torch.arange(answers))
    return LearnCommittee("committee", some, replace(MEMBERS, recipe=RECIPE), members=2, seed=seed)


def _learn(folder: Path, *, stop_after: tuple[str, int] | None = None) -> None:
    def hear(stage: str, done: int, total: int, unit: str) -> None:
        if (stage, done) == stop_after:
            raise Stopped

    with Run(folder) as run:
        Keeper(run, Context(progress=hear)).perform(_stage())


@pytest.mark.parametrize(
    "stops",
    [
        [("committee/00000", 1)],
        [("committee/00001", 3)],
        [(f"committee/0000{n}", e) for n in (0, 1) for e in (1, 2, 3)],
    ],
    ids=["first", "second", "each"],
)
def test_interrupted_and_resumed_it_is_byte_for_byte_the_same(tmp_path: Path, stops: list[tuple[str, int]]) -> None:
    _learn(tmp_path / "whole")
    for stop in stops:
        with pytest.raises(Stopped):
            _learn(tmp_path / "parts", stop_after=stop)
        assert list((tmp_path / "parts").rglob("*.state"))
    _learn(tmp_path / "parts")
    assert parts_of(tmp_path / "parts") == parts_of(tmp_path / "whole")
    for folder in ("parts", "whole"):
        lines = Run(tmp_path / folder).lines()
        epochs = [(line["part"], line["epoch"]) for line in lines]
        # It did go on, and each epoch is told once.
        assert epochs == [(f"committee/0000{n}", epoch) for n in (0, 1) for epoch in (1, 2, 3, 4)]


@pytest.mark.parametrize("gpus", [["cpu"], ["cpu", "cpu"]], ids=len)
def test_members_learn_as_one_where_there_are_gpus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gpus: list[str]
) -> None:
    _learn(tmp_path / "alone")
    monkeypatch.setattr("db3kd.pipeline.learn.find_gpus", lambda device: gpus)
    _learn(tmp_path / "whole")
    order = [str(line["part"]) for line in Run(tmp_path / "whole").lines()]
    assert sorted(order) == ["committee/00000"] * 4 + ["committee/00001"] * 4
    assert len(gpus) > 1 or order == ["committee/00000", "committee/00001"] * 4
    # The first stop leaves one member an epoch behind the other.
    for stop in (("committee/00000", 2), ("committee/00001", 3)):
        with pytest.raises(Stopped):
            _learn(tmp_path / "parts", stop_after=stop)
    _learn(tmp_path / "parts")
    assert parts_of(tmp_path / "parts") == parts_of(tmp_path / "whole")
    # One whose part is lost learns among as many again.
    (tmp_path / "parts/committee/00001.safetensors").unlink()
    _learn(tmp_path / "parts")
    assert parts_of(tmp_path / "parts") == parts_of(tmp_path / "whole")
    for number in range(2):
        one, other = (
            weights.from_file(tmp_path / folder / f"committee/0000{number}.safetensors")[0].state_dict()
            for folder in ("whole", "alone")
        )
        assert all(torch.allclose(value, other[name], atol=1e-5) for name, value in one.items())


def test_what_began_alone_goes_on_as_one_and_what_began_as_one_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for begun, then in (([], ["cpu"]), (["cpu"], [])):
        folder = tmp_path / str(len(begun))
        monkeypatch.setattr("db3kd.pipeline.learn.find_gpus", lambda device, gpus=begun: gpus)
        with pytest.raises(Stopped):
            _learn(folder, stop_after=("committee/00000", 2))
        monkeypatch.setattr("db3kd.pipeline.learn.find_gpus", lambda device, gpus=then: gpus)
        _learn(folder)
        lines = sorted((str(line["part"]), int(str(line["epoch"]))) for line in Run(folder).lines())
        assert lines == [(f"committee/0000{n}", epoch) for n in (0, 1) for epoch in (1, 2, 3, 4)]


def test_members_that_cannot_learn_as_one_learn_one_after_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def refuse(networks: object, material: object, recipe: object, device: str) -> bool:
        asked.append(device)
        return False

    _learn(tmp_path / "alone")
    monkeypatch.setattr("db3kd.pipeline.learn.find_gpus", lambda device: ["cpu"])
    monkeypatch.setattr("db3kd.pipeline.learn.can_learn_together", refuse)
    _learn(tmp_path / "refused")
    assert asked == ["cpu"]
    assert parts_of(tmp_path / "refused") == parts_of(tmp_path / "alone")


def test_without_a_state_it_starts_anew_to_the_same_bytes(tmp_path: Path) -> None:
    _learn(tmp_path / "whole")
    with pytest.raises(Stopped):
        _learn(tmp_path / "parts", stop_after=("committee/00000", 2))
    (tmp_path / "parts/committee/00000.state").unlink()
    _learn(tmp_path / "parts")
    assert parts_of(tmp_path / "parts") == parts_of(tmp_path / "whole")


def test_an_edited_state_is_named(tmp_path: Path) -> None:
    with pytest.raises(Stopped):
        _learn(tmp_path, stop_after=("committee/00000", 2))
    file = tmp_path / "committee/00000.state"
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(ArtifactError, match=r"00000\.state"):
        _learn(tmp_path)


def test_members_differ_and_learn_anew_from_other_answers(tmp_path: Path) -> None:
    with Run(tmp_path) as run:
        keeper = Keeper(run)
        first, second = keeper.perform(_stage())
        assert not torch.equal(next(first.parameters()), next(second.parameters()))
        assert not first.training
        (other, _) = keeper.perform(_stage(answers=50))
        assert not torch.equal(next(first.parameters()), next(other.parameters()))


def test_what_is_kept_is_weights_with_their_architecture_and_no_pickled_network(tmp_path: Path) -> None:
    """The reference implementation pickles whole networks."""
    _learn(tmp_path)
    module, header = weights.from_file(tmp_path / "committee/00000.safetensors")
    assert header["architecture"] == NETWORK
    assert module(ANSWERS.images.images()).shape == (60, CLASSES)
    for file in tmp_path.rglob("*"):
        # A pickle begins with 0x80 and its protocol, or lies in a zip archive.
        assert file.is_dir() or not file.read_bytes().startswith((b"\x80\x04", b"PK"))


def test_a_network_is_the_one_that_was_trained(tmp_path: Path) -> None:
    stage = _stage()
    material = Material(ANSWERS.images.pixels, Objective(labels=ANSWERS.decisions))
    with Run(tmp_path) as run:
        lesson, part = Fixed(material), stage.outline.parts[0]
        kept = train_part(Keeper(run), Training(stage, part, NETWORK, CLASSES, 5, lesson, RECIPE))
    network = network_of(kept)
    assert all(torch.equal(value, kept.tensors[name]) for name, value in network.state_dict().items())
    assert network(torch.zeros(1, *SHAPE)).shape == (1, CLASSES)
