"""Work that is done in several places at once; so far, networks that learn side by side on the cores of one machine.

What is learned, and what is kept of it, is the matter of the pipeline. Nothing here asks a teacher, or
writes into a run.
"""

from db3kd.scaling.side_by_side import Job, train_side_by_side

__all__ = ["Job", "train_side_by_side"]
