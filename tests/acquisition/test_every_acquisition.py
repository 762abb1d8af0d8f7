"""Every acquisition: no row twice, as many as asked for or all, and the same rows for the same seed."""

from typing import cast

import pytest
import torch

from db3kd.acquisition import Acquisition
from db3kd.names import ACQUISITIONS, find
from db3kd.tensors import Float, Tensor
from made_answers import NONE, PRIORS, answered, seeded

CANDIDATES = PRIORS.draw(300, NONE, seeded(1))
BELIEFS = torch.rand(3, 300, 4, generator=seeded(2)).softmax(dim=2)


@pytest.fixture(params=ACQUISITIONS)
def acquisition(request: pytest.FixtureRequest) -> Acquisition:
    made = cast(Acquisition, find(ACQUISITIONS, request.param)())
    assert isinstance(made, Acquisition)
    assert made.name == request.param
    return made


def _heeded(acquisition: Acquisition, beliefs: Float[Tensor, "k n c"]) -> Float[Tensor, "k n c"]:
    return beliefs if acquisition.committee else beliefs[:0]


@pytest.mark.parametrize("count", [0, 1, 40, 300, 1000])
def test_as_many_as_asked_for_or_all_and_none_twice(acquisition: Acquisition, count: int) -> None:
    chosen = acquisition.choose(CANDIDATES, _heeded(acquisition, BELIEFS), answered(), count, seeded(3))
    assert len(chosen) == len(chosen.unique()) == min(count, 300)
    assert not len(chosen) or 0 <= int(chosen.min()) <= int(chosen.max()) < 300


def test_the_same_seed_chooses_the_same_and_another_one_does_not(acquisition: Acquisition) -> None:
    first, again, other = (
        acquisition.choose(CANDIDATES, _heeded(acquisition, BELIEFS), answered(), 40, seeded(seed))
        for seed in (3, 3, 4)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
