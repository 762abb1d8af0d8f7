"""Families of procedural images: what to ask a teacher about when there is no data at all.

Each family is a function of a generator, a count and an image shape. None was made with a data set in mind, and which
of them a teacher tells most about is found out by asking (`db3kd.synthesis.active`). Nothing here asks.
"""

from db3kd.synthesis.priors.blending import blend, focused, relight, smooth_masks, warp
from db3kd.synthesis.priors.families import FAMILIES, Family, paint

__all__ = ["FAMILIES", "Family", "blend", "focused", "paint", "relight", "smooth_masks", "warp"]
