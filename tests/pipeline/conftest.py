"""Runs are small in all tests of this room; some look at one purchase."""

from dataclasses import replace

import pytest

from db3kd.pipeline.tell import Purchase, buy
from db3kd.pools import ImagePool
from db3kd.runs import Run
from made_runs import BD, Small, images, keeper_of, make_small, stories


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    make_small(monkeypatch)


@pytest.fixture(scope="session")
def purchase(tmp_path_factory: pytest.TempPathFactory) -> Purchase:
    """24 labelled images, 24 mixtures, a committee, distances of a guided search."""
    described = replace(
        stories(Small(abstains=True))["guided"],
        pool=ImagePool(images(labelled=True)),
        measurement=replace(BD, snapshots=(5, 10)),
    )
    with Run(tmp_path_factory.mktemp("bought")) as run:
        return buy(described, keeper_of(run))
