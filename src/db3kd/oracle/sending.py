"""One call on its way to a teacher: sent when there is room, again where that makes sense, and what became of it.

What may have been served and has to be sent again is charged again. What a service bills by tokens is booked when it
says so. Called by `Oracle`, which has charged for the first attempt.
"""

import logging
import random
import threading
import time
from dataclasses import dataclass
from typing import final

from db3kd.errors import Db3kdError, MaybeServed, NotServed, TeacherError
from db3kd.ledger import Account, Bill
from db3kd.teachers import Teacher
from db3kd.teachers.exchange import checked
from db3kd.tensors import Float, Int, Tensor

_log = logging.getLogger(__name__)

_LONGEST_PAUSE = 10.0


@dataclass(frozen=True)
class Usage:
    """What was answered, the seconds in the teacher, and the rows that were charged again."""

    rows: int = 0
    calls: int = 0
    seconds: float = 0.0
    repeated: int = 0


@final
class Sender:
    """Sends batches to a teacher, from any thread; see `Oracle` for the options."""

    def __init__(self, teacher: Teacher, account: Account, attempts: int, pause: float) -> None:
        self.usage = Usage()
        self._spec, self._teacher, self._account = teacher.spec, teacher, account
        self._attempts, self._pause = attempts, pause
        self._lock = threading.Lock()
        self._free_at = 0.0
        self._jitter = random.Random()

    def __call__(self, batch: Float[Tensor, "b c h w"], stop: threading.Event) -> Int[Tensor, " b"]:
        """Send a batch that is charged until its answer comes, or no further attempt makes sense."""
        began, lost, refused = time.monotonic(), 0, 0
        while True:  # Each round uses up an attempt or some of the patience.
            self._keep_rate(len(batch), stop)
            if stop.is_set():
                self._release(len(batch), again=lost > 0)
                raise TeacherError(f"{len(batch)} rows were not sent, since asking had ended")
            started = time.perf_counter()
            try:
                decisions = self._call(batch)
            except MaybeServed as failure:
                lost += 1
                if self._spec.meter is not None:
                    self._account.book(Bill(lost=1))
                again = lost + refused < self._attempts or (lost < self._attempts and self._is_patient(began, 0.0))
                if not (again and self._waited(failure, lost + refused, stop)):
                    raise _given_up(failure, len(batch), lost + refused) from failure
                # After the wait and before the next attempt, which is a query of its own.
                self._account.charge(len(batch), again=True)
                self._count(repeated=len(batch))
            except NotServed as failure:
                refused += 1
                longer = failure.retry_after or 0.0
                soon = longer <= _LONGEST_PAUSE and lost + refused < self._attempts
                again = failure.again and (soon or self._is_patient(began, longer))
                if not (again and self._waited(failure, lost + refused, stop)):
                    self._release(len(batch), again=lost > 0)
                    raise _given_up(failure, len(batch), lost + refused) from failure
            else:
                self._count(rows=len(batch), calls=1, seconds=time.perf_counter() - started)
                return checked(decisions, len(batch), self._spec)

    def _release(self, rows: int, *, again: bool) -> None:
        """Give back what was charged for an attempt that surely brought nothing to the teacher."""
        self._account.release(rows, again=again)
        if again:
            self._count(repeated=-rows)

    def _is_patient(self, began: float, longer: float) -> bool:
        return time.monotonic() - began + longer < self._spec.service.patience

    def _waited(self, failure: MaybeServed | NotServed, attempt: int, stop: threading.Event) -> bool:
        """Wait before the next attempt, as long as asking has not ended."""
        asked = failure.retry_after if isinstance(failure, NotServed) else None
        if stop.is_set():
            return False
        _log.warning("attempt %d failed, and another one follows: %s", attempt, failure)
        # A teacher that says when to come again is not made to wait longer and longer.
        doubled = 0 if asked is not None else attempt - 1
        pause = min(self._pause * 2.0**doubled, _LONGEST_PAUSE) * self._jitter.uniform(0.5, 1.0)
        return not stop.wait(max(pause, asked or 0.0))

    def _keep_rate(self, rows: int, stop: threading.Event) -> None:
        """Wait until so many rows may be sent."""
        rate = self._spec.service.rows_per_second
        if rate is None:
            return
        with self._lock:
            now = time.monotonic()
            start = max(now, self._free_at)
            self._free_at = start + rows / rate
        stop.wait(start - now)

    def _call(self, batch: Float[Tensor, "b c h w"]) -> object:
        """Call the teacher, which may be anybody's code, raise anything and answer anything."""
        try:
            return self._teacher(batch)
        except Db3kdError:
            raise
        except Exception as error:
            raise TeacherError(
                f"the teacher raised {type(error).__name__}: {error}; the {len(batch)} rows stay charged, and what was "
                "bought before is kept: correct it and run again to go on"
            ) from error
        finally:
            self._book()

    def _book(self) -> None:
        """Write down what the teacher's service has billed, also where its answer is no decision."""
        bill = None if self._spec.meter is None else self._spec.meter.read_off()
        if bill:
            self._account.book(bill)

    def _count(self, *, rows: int = 0, calls: int = 0, seconds: float = 0.0, repeated: int = 0) -> None:
        with self._lock:
            done = self.usage
            self.usage = Usage(done.rows + rows, done.calls + calls, done.seconds + seconds, done.repeated + repeated)


def _given_up(failure: MaybeServed | NotServed, rows: int, attempts: int) -> TeacherError:
    return TeacherError(
        f"the teacher did not answer {rows} rows in {attempts} attempts, at last: {failure}; "
        "what was bought before is kept: see to the teacher and run again to go on"
    )
