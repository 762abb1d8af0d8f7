"""What to ask a teacher next: rounds, and the choice among the candidates that a pool offers.

Nothing here asks: answers come in, candidates go out. Called by the pipeline, which asks, trains the committee, and
remembers.
"""

from db3kd.acquisition.acquisition import Acquisition
from db3kd.acquisition.choosers import Choosers
from db3kd.acquisition.disagreement import Disagreement, disagreement
from db3kd.acquisition.margin import Margin
from db3kd.acquisition.random import Random
from db3kd.acquisition.rounds import Rounds, Step, Way, count_fresh, propose, set_aside

__all__ = [
    "Acquisition",
    "Choosers",
    "Disagreement",
    "Margin",
    "Random",
    "Rounds",
    "Step",
    "Way",
    "count_fresh",
    "disagreement",
    "propose",
    "set_aside",
]
