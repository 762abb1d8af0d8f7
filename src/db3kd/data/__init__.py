"""Images with ids that stay the same: named data sets, folders, archives and arrays.

A data set is read whole into memory and checked before anything is spent on it. What is done with the images
lives elsewhere: nothing here trains, asks a teacher or writes a run. The pipeline and the command line call `load`;
code that has its images already calls `from_arrays`.
"""

from db3kd.data.dataset import Dataset, Split, from_arrays
from db3kd.data.sources import load

__all__ = ["Dataset", "Split", "from_arrays", "load"]
