"""The pictures that db3kd holds itself: glyphs and emoji, as small tiles out of two sheets.

Where they come from, and their licences, stands in `box/NOTICE.txt`; `tools/picture_box.py` makes the sheets. Called by
`pictures`, which draws with them.
"""

from functools import cache
from importlib.resources import files

import numpy as np
import torch
from PIL import Image

from db3kd.data.dataset import in_unit
from db3kd.tensors import Float, Tensor

SIDE = 32


@cache
def glyphs() -> Float[Tensor, "m 1 s s"]:
    """Give how much of each pixel a glyph covers."""
    return _tiles("glyphs.png")


@cache
def emoji() -> Float[Tensor, "m 4 s s"]:
    """Give red, green and blue, black where nothing is, and how much of each pixel is covered."""
    tiles = _tiles("emoji.png")
    return torch.cat([tiles[:, :3] * tiles[:, 3:], tiles[:, 3:]], dim=1)


def _tiles(name: str) -> Float[Tensor, "m c s s"]:
    """Cut a sheet into tiles; the last ones, of which nothing is seen, are none."""
    with files("db3kd.pools.priors").joinpath("box", name).open("rb") as stream, Image.open(stream) as opened:
        sheet = torch.from_numpy(np.array(opened))
    channels = 1 if sheet.ndim == 2 else sheet.shape[2]
    rows, across = sheet.shape[0] // SIDE, sheet.shape[1] // SIDE
    cut = sheet.view(rows, SIDE, across, SIDE, channels).permute(0, 2, 4, 1, 3).flatten(0, 1)
    seen = cut[:, -1].flatten(1).amax(dim=1) > 0
    return in_unit(cut[seen]).contiguous()
