"""Work that is done in several places at once: networks on the cores of a machine, replicas of a teacher on Ray.

What is learned, and what is kept of it, is the matter of the pipeline. Nothing here asks a teacher, or
writes into a run.
"""

from db3kd.scaling.cluster import Cluster
from db3kd.scaling.replicas import Replicas, replicated
from db3kd.scaling.side_by_side import Job, train_side_by_side

__all__ = ["Cluster", "Job", "Replicas", "replicated", "train_side_by_side"]
