"""Everything that can go wrong, drawn as a tree.

    Db3kdError
    ├── InputError
    │   ├── PlanError, DataError, ImageError
    │   └── RunError: RunMismatch, ArtifactError
    ├── StorageError
    ├── BudgetExhausted
    ├── ClusterLost
    └── TeacherError: MaybeServed, NotServed, Rejected, InvalidDecision

Each message says what was expected, what came, what was done about it and how to go on.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager


class Db3kdError(Exception):
    """Any error that this library raises on purpose."""


class InputError(Db3kdError):
    """What was asked for cannot be done as asked; nothing was spent on it."""


class PlanError(InputError):
    """A plan or an option says something impossible; all faults are in one message."""


class DataError(InputError):
    """A data file is missing, truncated, swapped or of another format; the file is named."""


class ImageError(InputError):
    """Images of a wrong shape or type, out of the teacher's bounds, or not a number."""


class RunError(InputError):
    """The run directory does not fit what was asked for."""


class RunMismatch(RunError):
    """Another plan or another teacher made this run; what differs is named."""


class ArtifactError(RunError):
    """A file of the run was edited, truncated or written in another format version."""


class StorageError(Db3kdError):
    """The disk is full or the folder cannot be written; what was written before is whole."""


class BudgetExhausted(Db3kdError):
    """The next query would cost more than was allowed; it was not sent. All numbers are of rows."""

    def __init__(self, stage: str, wanted: int, spent: int, limit: int) -> None:
        self.stage, self.wanted, self.spent, self.limit = stage, wanted, spent, limit
        super().__init__(
            f"stage {stage!r} wanted {wanted:,} more queries, but {spent:,} of {limit:,} are spent; "
            "they were not sent and what was bought is kept: raise the budget and run again to go on"
        )


class ClusterLost(Db3kdError):
    """The cluster that networks learned on, or looked at images on, failed for good; what was done before is kept."""


class TeacherError(Db3kdError):
    """The teacher failed for good; what was bought before is kept."""


class MaybeServed(TeacherError):
    """No answer came, and the teacher may have served the rows: a retry is charged again."""


class NotServed(TeacherError):
    """No answer came, and the teacher surely did not serve the rows: a retry costs nothing more.

    Args:
        message: what happened.
        retry_after: seconds after which the teacher wants to be asked again, where it said so.
        again: whether another attempt makes sense.
    """

    def __init__(self, message: str, *, retry_after: float | None = None, again: bool = True) -> None:
        self.retry_after, self.again = retry_after, again
        super().__init__(message)


class Rejected(TeacherError):
    """The service does not take this question, and would not take it again.

    Args:
        message: what happened.
        code: what the service calls the reason; empty where it does not say.
        status: of HTTP; 0 where there is none.
    """

    def __init__(self, message: str, *, code: str = "", status: int = 0) -> None:
        self.code, self.status = code, status
        super().__init__(message)


class InvalidDecision(TeacherError):
    """The answer is no class, or not one class per row; it never reaches a label.

    Args:
        message: what came.
        rows: those of the call at fault, counted from 0, where it is known which.
    """

    def __init__(self, message: str, *, rows: Sequence[int] = ()) -> None:
        self.rows = tuple(rows)
        super().__init__(message)


@contextmanager
def needing(extra: str, thing: str, *, outcome: str = "nothing was asked") -> Iterator[None]:
    """Say of imports that fail inside that a thing needs an extra which is not installed, and how to install it."""
    try:
        yield
    except ImportError as error:
        raise InputError(
            f"{thing} needs the extra {extra}, and {error.name or error} is not installed; {outcome}: pip install "
            f"'db3kd[{extra}]'"
        ) from error
