"""What a training in another process is asked for, and who hears of it."""

from collections.abc import Callable
from dataclasses import dataclass

from db3kd.training import Epoch, TrainingState


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
