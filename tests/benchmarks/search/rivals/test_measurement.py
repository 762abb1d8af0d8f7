"""The rivals themselves, in an environment made for the test; what goes wrong there is told here."""

import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from benchmarks.environment import rivals_python
from benchmarks.search.rivals import RivalSettings, measure_rivals
from db3kd.boundary import ExemplarPool, Pairs
from db3kd.data import from_arrays
from db3kd.errors import Db3kdError, PlanError
from db3kd.models import build, weights
from db3kd.tensors import Float, Int, Tensor

SHAPE = (1, 16, 16)
CLASSES = 3


def bands(count: int) -> Float[Tensor, "n c h w"]:
    """Noise with a bright band: in even images above, in odd ones below."""
    images = torch.rand(count, *SHAPE, generator=torch.Generator().manual_seed(1)) / 2
    images[::2, :, :5] += 0.5
    images[1::2, :, 5:10] += 0.5
    return images


def trained(images: Float[Tensor, "n c h w"], labels: Int[Tensor, " n"]) -> nn.Module:
    network = build("lenet5-fifth", SHAPE, CLASSES)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    for _ in range(60):
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(images), labels).backward()
        optimizer.step()
    return network.eval()


def case(folder: Path) -> tuple[Pairs, ExemplarPool, Path]:
    """Two images, each to be brought into the other's class, or into one that the network gives to nothing."""
    images = bands(40)
    network = trained(images, torch.arange(40) % 2)
    file = folder / "network.safetensors"
    file.write_bytes(weights.to_bytes(network, weights.describe("lenet5-fifth", SHAPE, CLASSES)))
    with torch.no_grad():
        decisions = network(images).argmax(dim=1)
    assert decisions.unique().tolist() == [0, 1]
    pool = ExemplarPool(from_arrays(images, name="bands"), decisions, num_classes=CLASSES)
    pairs = Pairs.every_other_class(images[:2], ["a", "b"], decisions[:2], num_classes=CLASSES)
    return pairs, pool, file


@pytest.mark.slow
def test_both_rivals_come_nearer_with_every_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DB3KD_DATA", str(tmp_path))
    pairs, pool, file = case(tmp_path)
    settings = RivalSettings(rivals_python(), file, queries=(300, 50, 150), pairs=3)

    measured = {rival.name: rival for rival in measure_rivals(pairs, pool, settings)}

    near = pool.nearest(pairs, 1)[:3, 0]
    starts = torch.linalg.vector_norm(
        pool.images(near.clamp(min=0)) - pairs.images.flatten(1)[pairs.image_of[:3]], dim=1
    )
    across = near >= 0
    assert across.tolist() == [True, False, True]
    assert list(measured) == ["hop-skip-jump", "sign-opt-art"]
    for rival in measured.values():
        assert "first 3 pairs" in rival.setting
        assert rival.counts == (50, 150, 300)
        assert rival.queries.tolist() == [300, 0, 300]
        assert rival.distances.shape == (3, 3)
        assert rival.distances[~across].isinf().all()
        found = rival.distances[across]
        # Its bisection alone brings each of them nearer than the start.
        assert bool((found[:, 0] < 0.9 * starts[across]).all())
        assert bool((found.diff(dim=1) <= 0).all())
        assert bool((found > 0).all())
    again = next(iter(measure_rivals(pairs, pool, settings)))
    assert torch.equal(again.distances, measured["hop-skip-jump"].distances)


def test_a_process_that_fails_is_told(tmp_path: Path) -> None:
    pairs, pool, file = case(tmp_path)
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho the wheel came off >&2\nexit 3\n")
    python.chmod(0o755)

    with pytest.raises(Db3kdError, match=r"hop-skip-jump must end with code 0, got 3(?s:.)*the wheel came off"):
        list(measure_rivals(pairs, pool, RivalSettings(python, file)))


def test_settings_that_measure_nothing_are_refused() -> None:
    for queries, pairs in (((), None), ((0, 200), None), ((200,), 0)):
        with pytest.raises(PlanError, match="at least 1 query and 1 pair"):
            RivalSettings(Path(sys.executable), Path("network.safetensors"), queries=queries, pairs=pairs)
