"""Figures: a trunk with limbs out of its corners, and a head or a notch between them.

Animals, furniture, tools, letters and clothes are built so. Each part is a signed distance in coordinates from -1 to 1,
positive inside. Called by `objects`, which textures them.
"""

import math
from typing import NamedTuple

import torch

from db3kd.pools.priors.fields import Dice, Frame, Number
from db3kd.pools.priors.outlines import bent_limb, ellipse, profile
from db3kd.tensors import Float, Tensor

_LIMBED, _HEADED, _NOTCHED, _SLOPING = 0.7, 0.5, 0.35, 0.55
# Where along a trunk its limbs begin, as a share of its length.
_SHOULDER = 0.06


class _Trunk(NamedTuple):
    """A trunk: where it begins on the axis, how far its side is from it at the shoulder, how much that falls."""

    inside: Float[Tensor, "n h w"]
    top: Number
    edge: Number
    slope: Number


def figure(mirrored: Frame, dice: Dice) -> Float[Tensor, "n h w"]:
    """Draw figures about an axis."""
    trunk = _trunk(mirrored, dice)
    limbs = torch.where(dice.chance(_LIMBED), _limbs(mirrored, trunk, dice), -1.0)
    head = torch.where(dice.chance(_HEADED), _head(mirrored, trunk.top, dice), -1.0)
    notch = torch.where(dice.chance(_NOTCHED), _notch(mirrored, trunk.top, dice), -1.0)
    whole = torch.maximum(torch.maximum(trunk.inside, limbs), head)
    return torch.minimum(whole, -notch)


def _trunk(mirrored: Frame, dice: Dice) -> _Trunk:
    top, bottom = -dice.between(0.45, 1.0), dice.between(0.45, 1.0)
    position = (mirrored.y - top) / (bottom - top)
    relief = dice.between(0.0, 1.0).square()
    side = dice.between(0.15, 0.9) * (1 - relief * profile(position, dice))
    nearest = (position - _SHOULDER).abs().flatten(1).argmin(dim=1, keepdim=True)
    edge = side.flatten(1).gather(1, nearest)[..., None]
    slope = dice.between(0.0, 0.5) * dice.chance(_SLOPING)
    inside = torch.minimum(side - mirrored.x, torch.minimum(mirrored.y - top, bottom - mirrored.y))
    return _Trunk(torch.minimum(inside, mirrored.y - top - slope * mirrored.x), top, edge, slope)


def _limbs(mirrored: Frame, trunk: _Trunk, dice: Dice) -> Float[Tensor, "n h w"]:
    """Two mirrored limbs out of the shoulders, from stretched out to hanging."""
    thickness = dice.between(0.05, 0.3)
    down = trunk.top + thickness * dice.between(0.6, 1.6) + trunk.slope * trunk.edge
    aside = (trunk.edge - thickness * dice.between(0.3, 1.1)).clamp(min=0)
    length = dice.between(0.2, 1.8)
    angle = dice.between(-0.2, math.pi / 2)
    return bent_limb(mirrored, (down, aside), length, angle, thickness, dice)


def _head(mirrored: Frame, top: Number, dice: Dice) -> Float[Tensor, "n h w"]:
    """A part on the axis above the trunk, mostly narrower towards its end."""
    wide, high = dice.between(0.05, 0.4), dice.between(0.03, 0.35)
    above = top - mirrored.y
    taper = dice.between(0.0, 1.0) * (above / high).clamp(0, 1)
    # It reaches a little into the trunk, so that no seam is left.
    return torch.minimum(wide * (1 - taper) - mirrored.x, torch.minimum(high - above, above + 0.2))


def _notch(mirrored: Frame, top: Number, dice: Dice) -> Float[Tensor, "n h w"]:
    """A wedge or a bow that is cut out of the trunk's upper end."""
    radii = (dice.between(0.03, 0.5), dice.between(0.05, 0.4))
    below = mirrored.y - top
    wedge = radii[1] * (1 - below / radii[0]) - mirrored.x
    return torch.where(dice.chance(0.5), wedge, ellipse(Frame(below, mirrored.x), radii))
