"""Images with ids that stay the same: named data sets, folders, archives and arrays.

A data set is read whole into memory and checked before anything is spent on it. Nothing here trains, asks a teacher or
writes a run.
"""

from db3kd.data.dataset import Dataset, Split, draw, from_arrays, numbered
from db3kd.data.sources import load

__all__ = ["Dataset", "Split", "draw", "from_arrays", "load", "numbered"]
