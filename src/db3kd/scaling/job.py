"""What a training in another process is asked for, who hears of it, and what such processes have in common."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from db3kd.training import Epoch, TrainingState

# Of a training that is lost with its process, at most so much is lost.
SECONDS_BETWEEN_STATES = 6.0


@dataclass(frozen=True, eq=False)
class Job:
    """One network to be trained.

    Args:
        architecture: as `db3kd.models.build` takes it.
        num_classes: length of a row of logits.
        seed: of weights, order and views.
        state: where to go on; None to begin.
    """

    architecture: str
    num_classes: int
    seed: int
    state: TrainingState | None = None


# Called with the number of the job, what an epoch brought, and the state after it, where there is one. It is called
# from several threads, one for each job.
Hear = Callable[[int, Epoch, TrainingState | None], None]


def import_from(path: Sequence[str]) -> None:
    """Find the modules of a user's network where whoever asks for the training finds them."""
    sys.path[:0] = [place for place in path if place not in sys.path]
