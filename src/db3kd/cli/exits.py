"""How a command ends: the one place that maps errors and signals to exit codes.

0 done, also at the end of a budget, 2 bad input, 3 the budget does not reach for what was demanded, 4 the teacher or
the cluster failed for good, 130 interrupted. A bug keeps its traceback and ends with 1. Called by `app.main` alone.
"""

import signal
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from db3kd.cli.display import remark
from db3kd.errors import BudgetExhausted, ClusterLost, Db3kdError, TeacherError

BAD_INPUT, BUDGET_EXHAUSTED, TEACHER_FAILED, INTERRUPTED = 2, 3, 4, 130


class _Interrupted(BaseException):
    """The user, or the system, asked for the end; accounts are settled on the way out."""


def run_to_exit(command: Callable[[], object], *, debug: bool) -> int:
    """Run a command and turn what ends it into an exit code."""
    try:
        with _signals_interrupt():
            command()
    except _Interrupted:
        remark("interrupted: what was done is kept and the account is settled; run again to go on")
        return INTERRUPTED
    except Db3kdError as error:
        if debug:
            traceback.print_exc()
        remark(f"error: {error}")
        if isinstance(error, BudgetExhausted):
            return BUDGET_EXHAUSTED
        return TEACHER_FAILED if isinstance(error, TeacherError | ClusterLost) else BAD_INPUT
    return 0


@contextmanager
def _signals_interrupt() -> Iterator[None]:
    """Let Ctrl-C and a polite kill raise `_Interrupted` where the program is; a second one ends it at once."""

    def interrupt(number: int, _: FrameType | None) -> None:
        # What is charged is on the disk before it is sent, so even an end in the middle of settling loses nothing.
        signal.signal(number, signal.SIG_DFL)
        raise _Interrupted

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
