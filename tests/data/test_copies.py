"""Exact copies are found among many images, in memory and in parts."""

import pytest
import torch

from db3kd.data import copies, from_arrays
from db3kd.data.copies import copies_of


@pytest.mark.parametrize("floats", [False, True])
def test_copies_are_found_and_nothing_else(monkeypatch: pytest.MonkeyPatch, floats: bool) -> None:
    pixels = torch.randint(0, 256, (40, 3, 6, 5), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    # One bit more, above the middle line.
    pixels[30], pixels[31] = pixels[7], pixels[7]
    pixels[31, 0, 0, 0] ^= 1
    pool = from_arrays(pixels / 255 if floats else pixels)
    for size in (2**26, 7 * pool.pixels[0].nbytes):
        monkeypatch.setattr(copies, "_BYTES_OF_A_PART", size)
        assert copies_of(pool.pixels[torch.tensor([7, 12])], pool).tolist() == [7, 12, 30]
        assert copies_of(pool.pixels[:0], pool).tolist() == []
        assert copies_of(pool.pixels, pool).tolist() == list(range(40))
