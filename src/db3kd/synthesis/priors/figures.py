"""Figures: a trunk with limbs out of its corners, and a head or a notch between them.

Animals, furniture, tools, letters and clothes are built so. Each part is a signed distance in coordinates from -1 to 1,
positive inside. Called by `objects`, which textures them.
"""

import math
from typing import NamedTuple

import torch

from db3kd.synthesis.priors.fields import between, chance
from db3kd.synthesis.priors.outlines import Frame, ellipse, profile
from db3kd.synthesis.priors.parts import bent_limb
from db3kd.tensors import Float, Tensor

_LIMBED, _HEADED, _NOTCHED, _SLOPING = 0.7, 0.5, 0.35, 0.55
# Where along a trunk its limbs begin, as a share of its length.
_SHOULDER = 0.06


class _Trunk(NamedTuple):
    """A trunk that is its own mirror image.

    Args:
        inside: the signed distance.
        top: where it begins on the axis.
        edge: how far its side is from the axis at the shoulder.
        slope: how much the shoulder falls towards the side.
    """

    inside: Float[Tensor, "n h w"]
    top: Float[Tensor, "n 1 1"]
    edge: Float[Tensor, "n 1 1"]
    slope: Float[Tensor, "n 1 1"]


def figure(mirrored: Frame, generator: torch.Generator) -> Float[Tensor, "n h w"]:
    """Draw figures about an axis.

    Args:
        mirrored: coordinates with the distance from the axis as x.
        generator: of all choices.

    Returns:
        Signed distances.
    """
    count = len(mirrored.y)
    trunk = _trunk(mirrored, generator)
    limbs = torch.where(chance(_LIMBED, count, generator), _limbs(mirrored, trunk, generator), -1.0)
    head = torch.where(chance(_HEADED, count, generator), _head(mirrored, trunk.top, generator), -1.0)
    notch = torch.where(chance(_NOTCHED, count, generator), _notch(mirrored, trunk.top, generator), -1.0)
    whole = torch.maximum(torch.maximum(trunk.inside, limbs), head)
    return torch.minimum(whole, -notch)


def _trunk(mirrored: Frame, generator: torch.Generator) -> _Trunk:
    count = len(mirrored.y)
    top, bottom = -between(0.45, 1.0, count, generator), between(0.45, 1.0, count, generator)
    position = (mirrored.y - top) / (bottom - top)
    relief = between(0.0, 1.0, count, generator).square()
    side = between(0.15, 0.9, count, generator) * (1 - relief * profile(position, generator))
    nearest = (position - _SHOULDER).abs().flatten(1).argmin(dim=1, keepdim=True)
    edge = side.flatten(1).gather(1, nearest)[..., None]
    slope = between(0.0, 0.5, count, generator) * chance(_SLOPING, count, generator)
    inside = torch.minimum(side - mirrored.x, torch.minimum(mirrored.y - top, bottom - mirrored.y))
    return _Trunk(torch.minimum(inside, mirrored.y - top - slope * mirrored.x), top, edge, slope)


def _limbs(mirrored: Frame, trunk: _Trunk, generator: torch.Generator) -> Float[Tensor, "n h w"]:
    """Two mirrored limbs out of the shoulders, from stretched out to hanging."""
    count = len(mirrored.y)
    thickness = between(0.05, 0.3, count, generator)
    down = trunk.top + thickness * between(0.6, 1.6, count, generator) + trunk.slope * trunk.edge
    aside = (trunk.edge - thickness * between(0.3, 1.1, count, generator)).clamp(min=0)
    length = between(0.2, 1.8, count, generator)
    angle = between(-0.2, math.pi / 2, count, generator)
    return bent_limb(mirrored, (down, aside), length, angle, thickness, generator)


def _head(mirrored: Frame, top: Float[Tensor, "n 1 1"], generator: torch.Generator) -> Float[Tensor, "n h w"]:
    """A part on the axis above the trunk, mostly narrower towards its end."""
    count = len(mirrored.y)
    wide, high = between(0.05, 0.4, count, generator), between(0.03, 0.35, count, generator)
    above = top - mirrored.y
    taper = between(0.0, 1.0, count, generator) * (above / high).clamp(0, 1)
    # It reaches a little into the trunk, so that no seam is left.
    return torch.minimum(wide * (1 - taper) - mirrored.x, torch.minimum(high - above, above + 0.2))


def _notch(mirrored: Frame, top: Float[Tensor, "n 1 1"], generator: torch.Generator) -> Float[Tensor, "n h w"]:
    """A wedge or a bow that is cut out of the trunk's upper end."""
    count = len(mirrored.y)
    radii = (between(0.03, 0.5, count, generator), between(0.05, 0.4, count, generator))
    below = mirrored.y - top
    wedge = radii[1] * (1 - below / radii[0]) - mirrored.x
    return torch.where(chance(0.5, count, generator), wedge, ellipse(Frame(below, mirrored.x), radii))
