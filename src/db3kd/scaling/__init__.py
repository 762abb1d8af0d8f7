"""Work that is done in several places at once: networks on cores or on a Ray cluster, replicas of a teacher on Ray.

What is learned, and what is kept of it, is the matter of the pipeline. Nothing here asks a teacher, or
writes into a run.
"""

from db3kd.scaling.cluster import Cluster
from db3kd.scaling.job import Job
from db3kd.scaling.replicas import Replicas, replicated
from db3kd.scaling.scoring import score_on_cluster
from db3kd.scaling.side_by_side import train_side_by_side
from db3kd.scaling.tasks import train_as_tasks

__all__ = ["Cluster", "Job", "Replicas", "replicated", "score_on_cluster", "train_as_tasks", "train_side_by_side"]
