"""Images with ids that stay the same: named data sets, folders, archives, arrays, and data sets of other libraries.

All is checked before anything is spent on it. Pixels are in memory where they are few, and in a file where they are
many. Nothing here trains, asks a teacher or spends.
"""

from db3kd.data.dataset import Dataset, Split, draw, from_arrays
from db3kd.data.given import dataset_of
from db3kd.data.numbered import Numbered
from db3kd.data.picture import ImageOptions
from db3kd.data.pixel_rows import Place
from db3kd.data.reading import Reading
from db3kd.data.sources import load

__all__ = [
    "Dataset",
    "ImageOptions",
    "Numbered",
    "Place",
    "Reading",
    "Split",
    "dataset_of",
    "draw",
    "from_arrays",
    "load",
]
