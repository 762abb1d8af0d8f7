"""How a command ends: the one place that maps errors and signals to exit codes.

0 done, 2 bad input, 3 budget exhausted, 4 the teacher failed for good, 130 interrupted. A bug keeps its traceback and
ends with 1. Called by `app.main` alone.
"""

import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from db3kd.errors import BudgetExhausted, Db3kdError, TeacherError

BAD_INPUT = 2
BUDGET_EXHAUSTED = 3
TEACHER_FAILED = 4
INTERRUPTED = 130


class _Interrupted(BaseException):
    """The user, or the system, asked for the end; accounts are settled on the way out."""


def run_to_exit(command: Callable[[], object], *, debug: bool) -> int:
    """Run a command and turn what ends it into an exit code.

    Args:
        command: does the work; it may raise `SystemExit`.
        debug: show the traceback of an error that the library raised on purpose.

    Returns:
        The exit code.
    """
    try:
        with _signals_interrupt():
            command()
    except _Interrupted:
        _tell("interrupted: what was done is kept and the account is settled; run again to go on")
        return INTERRUPTED
    except Db3kdError as error:
        if debug:
            traceback.print_exc()
        _tell(f"error: {error}")
        return _code_of(error)
    return 0


def _code_of(error: Db3kdError) -> int:
    if isinstance(error, BudgetExhausted):
        return BUDGET_EXHAUSTED
    return TEACHER_FAILED if isinstance(error, TeacherError) else BAD_INPUT


def _tell(message: str) -> None:
    print(f"db3kd: {message}", file=sys.stderr)


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
