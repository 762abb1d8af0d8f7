"""How far the teacher's decision boundary is: goals, searches, and the driver that lets them ask."""

from db3kd.boundary.bisection import Bisection
from db3kd.boundary.chain import Chain
from db3kd.boundary.crossing import BestCrossings, Crossings, Outcome
from db3kd.boundary.directions import DirectionBank
from db3kd.boundary.exemplars import ExemplarPool, Exemplars
from db3kd.boundary.goal import Goals, Pairs
from db3kd.boundary.guide import Guide, principal_directions
from db3kd.boundary.guided import Guided, GuidedOptions
from db3kd.boundary.interrogate import Interrogation, interrogate
from db3kd.boundary.nearest import Nearest
from db3kd.boundary.search import Probes, Search
from db3kd.boundary.sign_opt import SignOpt, SignOptOptions

__all__ = [
    "BestCrossings",
    "Bisection",
    "Chain",
    "Crossings",
    "DirectionBank",
    "ExemplarPool",
    "Exemplars",
    "Goals",
    "Guide",
    "Guided",
    "GuidedOptions",
    "Interrogation",
    "Nearest",
    "Outcome",
    "Pairs",
    "Probes",
    "Search",
    "SignOpt",
    "SignOptOptions",
    "interrogate",
    "principal_directions",
]
