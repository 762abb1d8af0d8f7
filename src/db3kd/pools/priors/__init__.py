"""Procedural images: a pool for those who have no data at all, and one for those who have pictures of another kind.

Each family is a function of a generator, a count and an image shape. None was made with a data set in mind; which of
them a teacher tells most about is found out by asking. Nothing here asks.
"""

from db3kd.pools.priors.families import FAMILIES, PROCEDURAL, Family, paint
from db3kd.pools.priors.pool import FamilySet, Priors
from db3kd.pools.priors.surrogates import Surrogates

__all__ = ["FAMILIES", "PROCEDURAL", "Family", "FamilySet", "Priors", "Surrogates", "paint"]
