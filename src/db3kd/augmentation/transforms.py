"""What can be done to an image that leaves it what it is, mostly: each transform, and several at once.

Whether a teacher minds one is the matter of `approval`. All work on batches in [0, 1], on the device where they lie.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch.nn import functional

from db3kd.tensors import Float, Tensor


@dataclass(frozen=True)
class Transform:
    """One transform, and how far it goes.

    Args:
        name: what reports call it.
        meaning: of its strength, for people.
        weak: strength in a weak view, of which the label or opinion is kept; 0 for one that is no weak view.
        strong: strength in a strong view, and in a question to the teacher.
        least_channels: of an image that it can be done to.
        binary: whether it is done or not, with nothing between.
    """

    name: str
    meaning: str
    weak: float
    strong: float
    least_channels: int = 1
    binary: bool = False


# In the order in which a teacher is asked about them: what matters most comes first, where there is money for few.
TRANSFORMS = (
    Transform("mirror", "left and right exchanged", 1.0, 1.0, binary=True),
    Transform("shift", "of the side, each way", 0.07, 0.12),
    Transform("turn", "degrees", 0.0, 15.0),
    Transform("scale", "larger or smaller by this part", 0.0, 0.15),
    Transform("hole", "side of a square, as a part of the image's", 0.0, 0.35),
    Transform("brightness", "lighter or darker by this part", 0.0, 0.3),
    Transform("contrast", "more or less by this part", 0.0, 0.3),
    Transform("noise", "standard deviation", 0.0, 0.08),
    Transform("colour", "each channel more or less by this part", 0.0, 0.2, least_channels=3),
)

Strengths = Mapping[str, float]


def possible(channels: int) -> tuple[Transform, ...]:
    """Give the transforms of images with so many channels."""
    return tuple(one for one in TRANSFORMS if channels >= one.least_channels)


def transform(
    images: Float[Tensor, "b c h w"], strengths: Strengths, *generators: torch.Generator, full: bool = False
) -> Float[Tensor, "b c h w"]:
    """Transform each image in its own way.

    Args:
        images: in [0, 1].
        strengths: by the name of the transform; what is left out is not done.
        *generators: of the ways, on the images' device; they move on. With several, each draws for its part of the
            images, in their order, as it would for these alone.
        full: go as far as the strength says, in either direction, and mirror all; else up to it, and mirror half.

    Returns:
        New images in [0, 1].
    """
    if not len(images):
        return images
    draw = _Draws(len(images), generators, images.device, full=full)
    if any(strengths.get(name) for name in ("mirror", "shift", "turn", "scale")):
        images = _move(images, strengths, draw)
    light = images
    if part := strengths.get("contrast"):
        mean = light.mean(dim=(1, 2, 3), keepdim=True)
        light = mean + (light - mean) * (1 + part * draw.both())
    if part := strengths.get("brightness"):
        light = light * (1 + part * draw.both())
    if part := strengths.get("colour"):
        light = light * (1 + part * draw.both(images.shape[1]))
    if deviation := strengths.get("noise"):
        light = light + deviation * draw.size() * draw.normal(images.shape[1:])
    if side := strengths.get("hole"):
        light = torch.where(_holes(images, side, draw), images.mean(dim=(1, 2, 3), keepdim=True), light)
    return light.clamp(0, 1)


class _Draws:
    """Random numbers, one an image and for each use."""

    def __init__(self, count: int, generators: Sequence[torch.Generator], device: torch.device, *, full: bool) -> None:
        # Only what is drawn is drawn for each part: a GPU that computes with it for all of them is launched once.
        self._part, self._generators, self._device, self._full = count // len(generators), generators, device, full

    def unit(self, each: int = 1) -> Float[Tensor, "b e 1 1"]:
        """From 0 to 1."""
        return self._joined(torch.rand, (each, 1, 1))

    def normal(self, shape: Sequence[int]) -> Float[Tensor, "b c h w"]:
        """From a normal distribution."""
        return self._joined(torch.randn, shape)

    def _joined(self, draw: Callable[..., Tensor], shape: Sequence[int]) -> Tensor:
        return torch.cat([draw(self._part, *shape, generator=one, device=self._device) for one in self._generators])

    def both(self, each: int = 1) -> Float[Tensor, "b e 1 1"]:
        """From -1 to 1, or one of both."""
        drawn = 2 * self.unit(each) - 1
        return drawn.sign() if self._full else drawn

    def size(self) -> Float[Tensor, "b 1 1 1"]:
        """From 0 to 1, or 1."""
        return torch.ones_like(self.unit()) if self._full else self.unit()


def _move(images: Float[Tensor, "b c h w"], strengths: Strengths, draw: _Draws) -> Float[Tensor, "b c h w"]:
    """Mirror, turn, scale and shift in one step; what comes in from outside is what lies at the edge."""
    _, _, height, width = images.shape
    angle = math.radians(strengths.get("turn", 0.0)) * draw.both()[:, 0]
    scale = (math.log1p(strengths.get("scale", 0.0)) * draw.both()[:, 0]).exp()
    right, down = (2 * strengths.get("shift", 0.0) * draw.both(2)).unbind(dim=1)
    flipped = (draw.size()[:, 0] > 0.5) & bool(strengths.get("mirror"))
    sign = torch.where(flipped, -1.0, 1.0)
    cosine, sine, sides = angle.cos() / scale, angle.sin() / scale, height / width
    across, along = (((2 * torch.arange(side, device=images.device) + 1) / side - 1) for side in (width, height))
    along = along[:, None]
    # `affine_grid` gives the same, and takes longer than all the rest; so would a grid of pairs that lie together.
    x = cosine * sign * across + (-sine * sides * sign * along + right)
    y = sine / sides * across + (cosine * along + down)
    grid = torch.stack((x, y), dim=1).permute(0, 2, 3, 1)
    return functional.grid_sample(images, grid, padding_mode="border", align_corners=False)


def _holes(images: Float[Tensor, "b c h w"], side: float, draw: _Draws) -> Tensor:
    """Where each image has its hole."""
    _, _, height, width = images.shape
    half = side / 2 * draw.size()
    rows = (torch.arange(height, device=images.device) + 0.5).view(1, 1, -1, 1) / height
    columns = (torch.arange(width, device=images.device) + 0.5).view(1, 1, 1, -1) / width
    return ((rows - draw.unit()).abs() < half) & ((columns - draw.unit()).abs() < half)
