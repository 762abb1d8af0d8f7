"""What the bench makes of the rivals' distances; the rivals themselves are played."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import nn

from benchmarks.search import BenchSettings, measure_searches, search
from benchmarks.search.rivals import RivalDistances, RivalSettings
from db3kd.boundary import ExemplarPool, Pairs
from db3kd.data import from_arrays


def test_rivals_are_held_against_the_yardstick_of_their_own_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = RivalSettings(Path("python"), Path("network.safetensors"), queries=(10, 20), pairs=2)

    def play(pairs: Pairs, pool: ExemplarPool, given: RivalSettings) -> Iterator[RivalDistances]:
        assert given == settings
        targets = pairs.goals.classes[:2].float()
        distances = torch.stack([targets + 2, targets + 1], dim=1)
        yield RivalDistances("played", "by hand, first 2 pairs", (10, 20), distances, torch.tensor([20, 14]))

    monkeypatch.setattr(search, "measure_rivals", play)
    # The first pixel alone decides, and every image is 0.25 off: the yardstick is the same for all pairs.
    layer = nn.Linear(4, 2)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[-1.0, 0, 0, 0], [1.0, 0, 0, 0]]))
        layer.bias.copy_(torch.tensor([0.5, -0.5]))
    images = torch.rand(20, 1, 2, 2, generator=torch.Generator().manual_seed(0))
    images[:, 0, 0, 0] = torch.tensor([0.25, 0.75]).repeat(10)

    bench = measure_searches(
        nn.Sequential(nn.Flatten(), layer),
        from_arrays(images, name="noise"),
        teacher="linear",
        num_classes=2,
        settings=BenchSettings(
            pairs=5,
            exemplars=(1,),
            sign_opt_queries=(),
            guided_queries=(),
            speed_rows=1,
            bare_seconds=0.001,
            rivals=settings,
        ),
    )

    first, second = bench.searches[-2:]
    assert (first.name, first.setting) == ("played", "by hand, first 2 pairs, queries=10")
    assert (second.name, second.setting) == ("played", "by hand, first 2 pairs, queries=20")
    assert (first.queries_per_pair, second.queries_per_pair) == (10, 17)
    assert first.ratio_to_whitebox_mean is not None
    assert second.ratio_to_whitebox_mean is not None
    assert first.ratio_to_whitebox_mean - second.ratio_to_whitebox_mean == pytest.approx(1 / 0.25, rel=0.05)
    assert (first.not_found, first.rows_per_second) == (0, None)
