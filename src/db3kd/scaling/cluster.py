"""How many replicas of a teacher there are, and on which Ray cluster: a value, which needs no Ray."""

from collections.abc import Callable
from typing import Annotated

from annotated_types import Ge, Gt

from db3kd.arguments import checked_options
from db3kd.teachers import Teacher


@checked_options
class Cluster:
    """Replicas of a teacher on a Ray cluster, on which networks are trained too.

    It is no part of any key: a run goes on with another cluster, or with none.

    Args:
        address: address of a Ray cluster, "auto" for the one that this machine belongs to, or "local" for one that is
            started on this machine and ends with the command.
        replicas: how many replicas of the teacher answer at once, each one batch; 0 to ask it in this process.
        cpus: cores that a replica takes; below 1 where the teacher mostly waits.
        gpus: GPUs that a replica takes.
        patience: seconds to wait for a replica, at the start and where all were lost.
        opening: opens the teacher in a replica; None to send the teacher itself there.
    """

    address: str = "local"
    replicas: Annotated[int, Ge(0)] = 2
    cpus: Annotated[float, Ge(0)] = 1.0
    gpus: Annotated[float, Ge(0)] = 0.0
    patience: Annotated[float, Gt(0)] = 300.0
    opening: Callable[[], Teacher] | None = None
