"""Every acquisition: no row twice, as many as asked for or all, and the same rows for the same seed."""

from typing import cast

import pytest
import torch

from db3kd.acquisition import Acquisition, Disagreement
from db3kd.acquisition.duplicates import unlike
from db3kd.answers import Candidates, together
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


def _with_copies(copies: int) -> Candidates:
    """A few candidates, and one of them many times."""
    rows = torch.cat([torch.arange(100), torch.zeros(copies, dtype=torch.int64)])
    distinct = CANDIDATES.take(unlike(CANDIDATES.pixels, CANDIDATES.pixels[:0]).nonzero()[:, 0])
    return distinct.take(rows)


def test_disagreement_asks_about_no_near_duplicate_while_others_are_left() -> None:
    candidates = _with_copies(900)
    believed = torch.rand(3, 1000, 4, generator=seeded(2)).softmax(dim=2)
    chosen = Disagreement().choose(candidates, believed, NONE, 90, seeded(3))
    assert unlike(candidates.pixels[chosen], NONE.images.pixels).all()
    more = Disagreement().choose(candidates, believed, NONE, 150, seeded(3))
    assert unlike(candidates.pixels[more], NONE.images.pixels)[:100].all()
    known = answered()
    asked = together([Candidates(known.images.pixels, known.origins), CANDIDATES])
    believed = torch.rand(3, len(asked), 4, generator=seeded(2)).softmax(dim=2)
    assert (Disagreement().choose(asked, believed, known, 100, seeded(3)) >= 200).all()


def test_disagreement_chooses_all_expected_classes_alike() -> None:
    believed = torch.full((2, 300, 4), 0.1)
    believed[:, :240, 0], believed[:, 240:270, 1], believed[:, 270:, 2] = 0.7, 0.7, 0.7
    chosen = Disagreement().choose(CANDIDATES, believed, NONE, 60, seeded(3))
    assert torch.bincount(believed[0, chosen].argmax(dim=1), minlength=4).tolist() == pytest.approx(
        [20, 20, 20, 0], abs=4
    )
