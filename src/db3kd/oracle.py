"""The only caller of a teacher: it checks, splits into batches, charges, and then sends.

A query is charged before it is sent, so a budget error never follows a sent query. What may have been served and has to
be asked again is charged again. A teacher that has never answered is asked about one row first and about two more then,
so that one of a wrong kind costs a query, or three. What a service bills by tokens is booked when it says so. This is
the one place that retries, waits and keeps several calls in flight: adapters say what became of a call and no more.
"""

import logging
import random
import threading
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import takewhile

import torch

from db3kd.errors import BudgetExhausted, Db3kdError, MaybeServed, NotServed, TeacherError
from db3kd.ledger import Account, Bill
from db3kd.teachers import Teacher, TeacherSpec
from db3kd.teachers.exchange import check_question, checked
from db3kd.tensors import Float, Int, Tensor

_log = logging.getLogger(__name__)

# A teacher that has never answered is asked up to these rows of its first batch, one after the other.
FIRST_ENDS = (1, 3)
_LONGEST_PAUSE = 10.0


@dataclass(frozen=True)
class Usage:
    """What was answered, the seconds in the teacher, and the rows that were charged again."""

    rows: int = 0
    calls: int = 0
    seconds: float = 0.0
    repeated: int = 0


class Oracle:
    """Asks a teacher on an account; called like a teacher, with any number of rows.

    Args:
        teacher: decides.
        account: pays.
        attempts: how often a batch is sent at most when its answers do not come; what surely was not served is sent
            again beyond that, as long as the patience of `TeacherSpec.service` lasts.
        pause: seconds before the second attempt, doubled before each further one up to ten, less up to a half at random
            so that clients do not come back together; where the teacher says when, that long.
        known: whether the teacher has answered before. If not, the very first row is sent alone, then two more, and the
            others of their batch after them.
    """

    def __init__(
        self, teacher: Teacher, account: Account, *, attempts: int = 5, pause: float = 0.1, known: bool = False
    ) -> None:
        self.spec: TeacherSpec = teacher.spec
        self.usage = Usage()
        self._teacher, self._account, self._attempts, self._pause = teacher, account, attempts, pause
        self._known = known
        self._lock = threading.Lock()
        self._free_at = 0.0
        self._jitter = random.Random()

    def __call__(self, images: Float[Tensor, "n c h w"]) -> Int[Tensor, " n"]:
        """Get the teacher's decisions.

        Args:
            images: within the teacher's bounds, in input units.

        Returns:
            A class from 0 to num_classes - 1 for each image, on the images' device; num_classes where a teacher that
            may abstain gives none.

        Raises:
            ImageError: a wrong shape or type, a value out of bounds or not a number; nothing was charged.
            BudgetExhausted: the account does not allow the next batch; what was answered before is lost here.
            InvalidDecision: the answer is not one class per image.
            TeacherError: the answers did not come.

        Cost: one query an image, charged batch by batch before it is sent; where a teacher that never answered gives no
            class for the very first row, that one query, and three where the next two bring none.
        """
        if not len(images):
            check_question(images, self.spec)
            return torch.zeros(0, dtype=torch.int64, device=images.device)
        return torch.cat(list(self.answers(images))).to(images.device)

    def answers(self, images: Float[Tensor, "n c h w"]) -> Iterator[Int[Tensor, " b"]]:
        """Get the decisions of at least one image batch by batch, so that each can be saved before the next one fails.

        As many calls as the service takes are in flight at once, and fewer where a budget ends, so that it pays for one
        that is lost and asked again. Errors and costs are those of a call: BudgetExhausted comes after all that was
        charged is answered. Calls in flight with one that fails for good are charged and lost. After a Ctrl-C, what is
        in flight is waited for and given before the KeyboardInterrupt.
        """
        check_question(images, self.spec)
        service, whole, stop = self.spec.service, self.spec.max_batch, threading.Event()
        if not self._known:
            yield from self._answer_first(images[:whole], stop)
            images = images[whole:]
        if (service.in_flight == 1 and not service.seconds_of_a_call) or len(images) <= whole:
            for start in range(0, len(images), whole):
                batch = images[start : start + whole]
                self._account.charge(len(batch))
                yield self._ask(batch, stop)
            return
        with ThreadPoolExecutor(service.in_flight) as pool:
            try:
                yield from self._answer_together(images, pool, stop)
            finally:
                # No further attempt of what nobody waits for any more.
                stop.set()

    def _answer_together(
        self, images: Float[Tensor, "n c h w"], pool: ThreadPoolExecutor, stop: threading.Event
    ) -> Iterator[Int[Tensor, " b"]]:
        whole, charged, given = self.spec.max_batch, 0, 0
        waiting: deque[Future[Int[Tensor, " b"]]] = deque()
        exhausted: BudgetExhausted | None = None
        try:
            for size in self._sizes_of_calls(-(-len(images) // whole)):
                rows = min(size * whole, len(images) - charged)
                while waiting and not self._has_room(len(waiting), charged - given, rows):
                    answer = _oldest(waiting)
                    given += len(answer)
                    yield from answer.split(whole)
                # Charged in order, here: where the budget ends, all before is in flight and nothing after.
                paid, exhausted = self._charge(images[charged : charged + rows])
                if paid:
                    waiting.append(pool.submit(self._ask, images[charged : charged + paid], stop))
                charged += paid
                if exhausted is not None:
                    break
            while waiting:
                yield from _oldest(waiting).split(whole)
        except KeyboardInterrupt:
            stop.set()
            # What is in flight is waited for, up to the first call that fails.
            for call in takewhile(lambda call: call.exception() is None, waiting):
                yield from call.result().split(whole)
            raise
        if exhausted is not None:
            raise exhausted

    def _charge(self, images: Float[Tensor, "n c h w"]) -> tuple[int, BudgetExhausted | None]:
        """Charge for a call, batch by batch; gives the rows that were charged, and what ended it before all were."""
        paid = 0
        try:
            for batch in images.split(self.spec.max_batch):
                self._account.charge(len(batch))
                paid += len(batch)
        except BudgetExhausted as error:
            return paid, error
        return paid, None

    def _has_room(self, calls: int, rows: int, more: int) -> bool:
        """Tell whether another call leaves the rows that those in flight take to be sent again: order is kept."""
        left = self._account.left if calls < self.spec.service.in_flight else 0
        return left is None or left - more >= rows

    def _sizes_of_calls(self, batches: int) -> Iterator[int]:
        """Tell how many batches go in one call after the other; calls under way at once are alike, and end together."""
        service = self.spec.service
        while batches:
            done, most = self.usage, 1
            if service.seconds_of_a_call and done.seconds:
                seconds_of_a_batch = done.seconds * self.spec.max_batch / done.rows
                most = max(1, int(service.seconds_of_a_call / seconds_of_a_batch))
            # Each has as many batches in all as the others, and of these as many in this turn as in the next ones.
            each = -(-batches // service.in_flight)
            turn = min(batches, -(-each // -(-each // most)) * service.in_flight)
            batches -= turn
            for calls in range(service.in_flight, 0, -1):
                size = -(-turn // calls)
                turn -= size
                if size:
                    yield size

    def _answer_first(self, batch: Float[Tensor, "b c h w"], stop: threading.Event) -> Iterator[Int[Tensor, " b"]]:
        """Send one row, then two, and the others of the batch where these brought classes."""
        # As a whole, so that a budget ends where it would for any other batch.
        self._account.charge(len(batch))
        sent = 0
        try:
            for some in batch.tensor_split(FIRST_ENDS):
                if len(some):
                    sent += len(some)
                    answer = self._ask(some, stop)
                    self._known = True
                    yield answer
        except BaseException:
            self._account.release(len(batch) - sent)
            raise

    def _ask(self, batch: Float[Tensor, "b c h w"], stop: threading.Event) -> Int[Tensor, " b"]:
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
                if self.spec.meter is not None:
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
                return checked(decisions, len(batch), self.spec)

    def _release(self, rows: int, *, again: bool) -> None:
        """Give back what was charged for an attempt that surely brought nothing to the teacher."""
        self._account.release(rows, again=again)
        if again:
            self._count(repeated=-rows)

    def _is_patient(self, began: float, longer: float) -> bool:
        return time.monotonic() - began + longer < self.spec.service.patience

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
        rate = self.spec.service.rows_per_second
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
        bill = None if self.spec.meter is None else self.spec.meter.read_off()
        if bill:
            self._account.book(bill)

    def _count(self, *, rows: int = 0, calls: int = 0, seconds: float = 0.0, repeated: int = 0) -> None:
        with self._lock:
            done = self.usage
            self.usage = Usage(done.rows + rows, done.calls + calls, done.seconds + seconds, done.repeated + repeated)


def _oldest(waiting: deque[Future[Int[Tensor, " b"]]]) -> Int[Tensor, " n"]:
    """Wait for the oldest call; it stays among those in flight until its answer is there."""
    answer = waiting[0].result()
    waiting.popleft()
    return answer


def _given_up(failure: MaybeServed | NotServed, rows: int, attempts: int) -> TeacherError:
    return TeacherError(
        f"the teacher did not answer {rows} rows in {attempts} attempts, at last: {failure}; "
        "what was bought before is kept: see to the teacher and run again to go on"
    )
