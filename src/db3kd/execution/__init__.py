"""Shards of a labelling, made where the teacher is."""

from db3kd.execution.local import Labelling, Remembering, make_shard

__all__ = ["Labelling", "Remembering", "make_shard"]
