"""What networks say on a Ray cluster is byte for byte what they say here."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from db3kd.context import Context
from db3kd.data import load
from db3kd.errors import Db3kdError
from db3kd.evaluation import scores
from db3kd.models import build
from db3kd.pipeline.scoring import scores_of
from db3kd.scaling import Cluster, score_on_cluster
from db3kd.scaling.connection import connected
from db3kd.tensors import Float, Tensor

pytest.importorskip("ray")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::ResourceWarning", "ignore::DeprecationWarning"),
]

SHAPE = (1, 16, 16)
PIXELS = torch.randint(0, 256, (20_000, *SHAPE), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
NETWORKS = [build("lenet5-fifth", SHAPE, 4, seed=seed).train() for seed in (0, 1, 2)]


class Angry(nn.Module):
    """Raises."""

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c"]:
        raise ArithmeticError("too many images")


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[None]:
    """A cluster all of whose cores are taken: scoring claims none."""
    with connected(Cluster()) as ray:

        class Idle:
            pass

        taken = [ray.remote(num_cpus=1)(Idle).remote() for _ in range(int(ray.cluster_resources()["CPU"]))]
        yield
        del taken


def test_networks_say_the_same_of_pixels_that_are_sent_and_of_those_in_a_file(tmp_path: Path) -> None:
    np.save(tmp_path / "pool.npy", PIXELS.numpy())
    in_file = load(str(tmp_path / "pool.npy")).pixels
    some = torch.randperm(len(PIXELS), generator=torch.Generator().manual_seed(1))[:9_000]
    for pixels in (PIXELS, in_file):
        assert torch.equal(score_on_cluster(NETWORKS, pixels), scores(NETWORKS, PIXELS))
        assert torch.equal(score_on_cluster(NETWORKS, pixels, rows=some), scores(NETWORKS, PIXELS, rows=some))
    done = list[int]()
    score_on_cluster(NETWORKS, PIXELS[:10_000], hear=done.append)
    assert done[0] == 0
    assert sorted(done) == done
    assert done[-1] == 10_000
    floats = PIXELS[:10].float() / 255
    assert torch.equal(score_on_cluster(NETWORKS, floats), scores(NETWORKS, floats))
    assert all(network.training for network in NETWORKS)


def test_only_many_images_of_a_run_with_a_cluster_go_there(monkeypatch: pytest.MonkeyPatch) -> None:
    sent = []

    def noting(modules: list[nn.Module], pixels: Tensor, *, rows: Tensor, hear: Callable[[int], None]) -> Tensor:
        sent.append(len(rows))
        return scores(modules, pixels, rows=rows)

    monkeypatch.setattr("db3kd.pipeline.scoring.score_on_cluster", noting)
    monkeypatch.setattr("db3kd.pipeline.scoring._LONG", 300)
    here, there = Context(), Context(clustered=True)
    for context, count in ((here, 200), (there, 99), (there, 100)):
        scores_of(NETWORKS, PIXELS[:count], context)
    scores_of(NETWORKS, PIXELS, there, torch.arange(150))
    assert sent == [100, 150]


def test_what_a_network_raises_is_told_and_nothing_is_lost() -> None:
    with pytest.raises(Db3kdError, match=r"ArithmeticError: too many.*run again without it to go on"):
        score_on_cluster([Angry()], PIXELS[:10])


def test_a_file_that_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.save(tmp_path / "pool.npy", PIXELS[:10].numpy())
    pixels = load(str(tmp_path / "pool.npy")).pixels
    monkeypatch.setattr("db3kd.data.mapped._Mapping.path", lambda _, named: os.fspath(tmp_path / "elsewhere.npy"))
    with pytest.raises(Db3kdError, match="same path on all machines"):
        score_on_cluster(NETWORKS, pixels)
