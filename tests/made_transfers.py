"""A transfer set for tests: what a labelling would have bought, with made-up content."""

import torch

from db3kd.data import from_arrays
from db3kd.transfer import TransferSet


def made_transfer(*, labels: bool = True) -> TransferSet:
    """40 images of 3 classes; the snapshot at 50 queries lies twice as far."""
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (40, 1, 4, 4), generator=generator, dtype=torch.uint8)
    images = from_arrays(pixels, torch.arange(40) % 3 if labels else None, name="made")
    decisions = torch.randint(0, 3, (40,), generator=generator)
    distances = torch.rand(40, 3, generator=generator) + 0.1
    distances[torch.arange(40), decisions] = torch.inf
    zeros = torch.zeros(40, 3, dtype=torch.int64)
    return TransferSet(images, decisions, distances, zeros, zeros, {50: distances * 2}, {"method": "bd"})
