"""Shards of a labelling, made where the teacher is."""

from db3kd.execution.local import Labelling, make_shard, Remembering

__all__ = ["Labelling", "make_shard", "Remembering"]
