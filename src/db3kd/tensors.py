"""The shapes that signatures speak of.

The letters mean the same everywhere: n images of a set, b images of one call, k rows of a search (an
image paired with a goal), c channels, h and w pixels, s snapshots. What is computed with the
shapes lives elsewhere; every module that handles tensors imports from here.
"""

from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

# Of a set: 0 to 255 where 8-bit, else in [0, 1].
Pixels = UInt8[Tensor, "n c h w"] | Float[Tensor, "n c h w"]

__all__ = ["Bool", "Float", "Int", "Pixels", "Tensor", "UInt8"]
