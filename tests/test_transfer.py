"""A transfer set goes to bytes and back whole, and is refused when it is not whole."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from db3kd.boundary import Outcome
from db3kd.data import from_arrays
from db3kd.errors import ArtifactError, InputError
from db3kd.models import LeNet5, weights
from db3kd.tensors import Tensor
from db3kd.transfer import OWN_CLASS, TransferSet, transfer_from_bytes
from processes import finish, start


def _transfer(*, labels: bool = True, eight_bit: bool = True) -> TransferSet:
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (5, 1, 3, 3), generator=generator, dtype=torch.uint8)
    images = from_arrays(
        pixels if eight_bit else pixels.float() / 255,
        torch.tensor([0, 1, 2, 0, 1]) if labels else None,
        name="made",
        class_names=("a", "b", "c") if labels else (),
    )
    distances = torch.rand(5, 3, generator=generator)
    distances[torch.arange(5), torch.tensor([0, 1, 2, 1, 1])] = torch.inf
    queries = torch.randint(1, 100, (5, 3), generator=generator)
    outcomes = torch.full((5, 3), int(Outcome.BUDGET))
    outcomes[torch.arange(5), torch.tensor([0, 1, 2, 1, 1])] = OWN_CLASS
    snapshots = {50: distances * 2, 9: distances * 3}
    about = {"method": "mbd", "teacher": "sectors"}
    return TransferSet(images, torch.tensor([0, 1, 2, 1, 1]), distances, queries, outcomes, snapshots, about)


def _same(one: Tensor | None, other: Tensor | None) -> bool:
    if one is None or other is None:
        return one is other
    return torch.equal(one, other) and one.dtype == other.dtype


@pytest.mark.parametrize("labels", [True, False])
@pytest.mark.parametrize("eight_bit", [True, False])
def test_a_transfer_set_comes_back_from_its_bytes(labels: bool, eight_bit: bool) -> None:
    made = _transfer(labels=labels, eight_bit=eight_bit)
    back = transfer_from_bytes(made.to_bytes(), "here")
    for name in ("decisions", "distances", "queries", "outcomes"):
        assert _same(getattr(back, name), getattr(made, name)), name
    assert list(back.snapshots) == [9, 50]
    assert all(_same(back.snapshots[count], made.snapshots[count]) for count in (9, 50))
    assert _same(back.images.labels, made.images.labels)
    assert back.images.digest == made.images.digest
    assert (back.images.name, back.images.class_names) == (made.images.name, made.images.class_names)
    assert back.provenance == made.provenance
    assert (len(back), back.num_classes) == (5, 3)
    assert back.to_bytes() == made.to_bytes()


def test_any_change_of_what_was_bought_changes_the_bytes() -> None:
    made = _transfer()
    others = [
        replace(made, distances=made.distances + 1),
        replace(made, decisions=made.decisions.flip(0)),
        replace(made, snapshots={9: made.snapshots[9]}),
        replace(made, provenance={"method": "bd", "teacher": "sectors"}),
        replace(made, images=made.images.subset(torch.tensor([1, 0, 2, 3, 4]))),
    ]
    assert len({other.to_bytes() for other in [made, *others]}) == 6


def test_a_snapshot_holds_the_distances_of_that_moment_at_no_more_than_its_queries() -> None:
    made = _transfer()
    early = made.at(9)
    assert _same(early.distances, made.snapshots[9])
    assert _same(early.queries, made.queries.clamp(max=9))
    assert _same(early.decisions, made.decisions)
    assert early.images is made.images
    assert not early.snapshots
    # The whole is left as it was.
    assert list(made.snapshots) == [50, 9]
    assert int(made.queries.max()) > 9


def test_a_snapshot_that_was_not_taken_is_refused_naming_those_that_were() -> None:
    with pytest.raises(InputError, match=r"no snapshot at 10 .* holds 9, 50"):
        _transfer().at(10)
    with pytest.raises(InputError, match="holds none"):
        replace(_transfer(), snapshots={}).at(9)


def test_bytes_that_were_cut_or_changed_are_refused_naming_the_file() -> None:
    data = _transfer().to_bytes()
    for length in (0, 7, 100, len(data) // 2, len(data) - 1):
        with pytest.raises(ArtifactError, match=r"runs/a/transfer\.safetensors.*run again"):
            transfer_from_bytes(data[:length], "runs/a/transfer.safetensors")
    for place in range(8 + int.from_bytes(data[:8], "little"), len(data), 7):
        changed = bytearray(data)
        changed[place] ^= 0x10
        with pytest.raises(ArtifactError, match=r"runs/a/transfer\.safetensors.*run again"):
            transfer_from_bytes(bytes(changed), "runs/a/transfer.safetensors")


def test_a_file_of_weights_is_no_transfer_set() -> None:
    data = weights.to_bytes(LeNet5((1, 28, 28), 10), weights.describe("lenet5", (1, 28, 28), 10))
    with pytest.raises(ArtifactError, match="db3kd-transfer-1"):
        transfer_from_bytes(data, "model.safetensors")


_AGAIN = """
import hashlib, pathlib, sys
from db3kd.transfer import transfer_from_bytes
data = pathlib.Path(sys.argv[1]).read_bytes()
print(hashlib.sha256(transfer_from_bytes(data, sys.argv[1]).to_bytes()).hexdigest())
"""


def test_another_process_writes_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = _transfer().to_bytes()
    (tmp_path / "transfer.safetensors").write_bytes(data)
    monkeypatch.setenv("PYTHONHASHSEED", "12")
    assert finish(start(_AGAIN, tmp_path / "transfer.safetensors")).strip() == hashlib.sha256(data).hexdigest()
