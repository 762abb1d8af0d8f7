"""How far the teacher's decision boundary is: goals, searches, and the driver that lets them ask.

A search is one file with its options (`SampleDistance` to `GuidedDistance`) and a row in `db3kd.names.SEARCHES`.
"""

from db3kd.boundary.bisection import BoundaryDistance
from db3kd.boundary.crossing import Crossings, Outcome
from db3kd.boundary.distances import OWN_CLASS, Distances, Measurement, measure_shard
from db3kd.boundary.exemplars import ExemplarPool, Exemplars
from db3kd.boundary.goal import Goals, Pairs
from db3kd.boundary.guide import Guide, closeness, find_subspace
from db3kd.boundary.guided import GuidedDistance
from db3kd.boundary.interrogate import Interrogation, interrogate
from db3kd.boundary.sample import SampleDistance
from db3kd.boundary.search import Method, Probes, Search
from db3kd.boundary.sign_opt import MinimalBoundaryDistance

__all__ = [
    "OWN_CLASS",
    "BoundaryDistance",
    "Crossings",
    "Distances",
    "ExemplarPool",
    "Exemplars",
    "Goals",
    "Guide",
    "GuidedDistance",
    "Interrogation",
    "Measurement",
    "Method",
    "MinimalBoundaryDistance",
    "Outcome",
    "Pairs",
    "Probes",
    "SampleDistance",
    "Search",
    "closeness",
    "find_subspace",
    "interrogate",
    "measure_shard",
]
