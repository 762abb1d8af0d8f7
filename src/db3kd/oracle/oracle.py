"""The only caller of a teacher: it checks, splits into batches, charges, and then sends.

A query is charged before it is sent, so a budget error never follows a sent query. What may have been served and has to
be asked again is charged again. A teacher that has never answered is asked about one row first and about two more then,
so that one of a wrong kind costs a query, or three. Several calls may be in flight; what becomes of each is the matter
of `sending`.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import torch

from db3kd.errors import BudgetExhausted
from db3kd.ledger import Account
from db3kd.oracle.sending import Sender, Usage
from db3kd.teachers import Service, Teacher, TeacherSpec
from db3kd.teachers.exchange import check_question
from db3kd.tensors import Float, Int, Tensor

# A teacher that has never answered is asked up to these rows of its first batch, one after the other.
FIRST_ENDS = (1, 3)


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
        spare: is given, in one piece, the questions and answers of calls that were in flight with one that failed for
            good, and come after it: they are paid, and nobody else hears of them.
    """

    def __init__(
        self,
        teacher: Teacher,
        account: Account,
        *,
        attempts: int = 5,
        pause: float = 0.1,
        known: bool = False,
        spare: Callable[[Tensor, Tensor], None] | None = None,
    ) -> None:
        self.spec: TeacherSpec = teacher.spec
        self._account, self._known, self._spare = account, known, spare
        self._send = Sender(teacher, account, attempts, pause)

    @property
    def usage(self) -> Usage:
        """What was answered so far."""
        return self._send.usage

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
        charged is answered. Calls in flight with one that fails for good are waited for: what they bring is `spare`.
        After a Ctrl-C, what is in flight is waited for and given before the KeyboardInterrupt.
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
                yield self._send(batch, stop)
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
        waiting: deque[_Call] = deque()
        exhausted: BudgetExhausted | None = None
        try:
            for size in sizes_of_calls(-(-len(images) // whole), self.spec.service, self._seconds_of_a_batch):
                rows = min(size * whole, len(images) - charged)
                while waiting and not self._has_room(len(waiting), charged - given, rows):
                    answer = _oldest(waiting)
                    given += len(answer)
                    yield from answer.split(whole)
                # Charged in order, here: where the budget ends, all before is in flight and nothing after.
                paid, exhausted = self._charge(images[charged : charged + rows])
                if paid:
                    call = images[charged : charged + paid]
                    waiting.append(_Call(call, pool.submit(self._send, call, stop)))
                charged += paid
                if exhausted is not None:
                    break
            while waiting:
                yield from _oldest(waiting).split(whole)
        except KeyboardInterrupt:
            stop.set()
            # What is in flight is waited for, up to the first call that fails.
            while waiting and waiting[0].answer.exception() is None:
                yield from _oldest(waiting).split(whole)
            self._set_aside(waiting)
            raise
        except Exception:
            stop.set()
            self._set_aside(waiting)
            raise
        if exhausted is not None:
            raise exhausted

    def _set_aside(self, waiting: Iterable["_Call"]) -> None:
        """Give away what calls bring that come after one that failed: it is not asked for in their order."""
        answered = [call for call in waiting if call.answer.exception() is None]
        if answered and self._spare is not None:
            self._spare(
                torch.cat([call.images for call in answered]), torch.cat([call.answer.result() for call in answered])
            )

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

    def _seconds_of_a_batch(self) -> float:
        done = self.usage
        return done.seconds * self.spec.max_batch / done.rows if done.rows else 0.0

    def _answer_first(self, batch: Float[Tensor, "b c h w"], stop: threading.Event) -> Iterator[Int[Tensor, " b"]]:
        """Send one row, then two, and the others of the batch where these brought classes."""
        # As a whole, so that a budget ends where it would for any other batch.
        self._account.charge(len(batch))
        sent = 0
        try:
            for some in batch.tensor_split(FIRST_ENDS):
                if len(some):
                    sent += len(some)
                    answer = self._send(some, stop)
                    self._known = True
                    yield answer
        except BaseException:
            self._account.release(len(batch) - sent)
            raise


class _Call(NamedTuple):
    """A call in flight."""

    images: Float[Tensor, "b c h w"]
    answer: Future[Int[Tensor, " b"]]


def _oldest(waiting: deque[_Call]) -> Int[Tensor, " n"]:
    """Wait for the oldest call; it stays among those in flight until its answer is there."""
    answer = waiting[0].answer.result()
    waiting.popleft()
    return answer


def sizes_of_calls(batches: int, service: Service, seconds_of_a_batch: Callable[[], float]) -> Iterator[int]:
    """Tell how many batches go in one call after the other; calls under way at once are alike, and end together.

    Args:
        batches: in all.
        service: how many calls are under way at once, and how long one should take.
        seconds_of_a_batch: what a batch has taken so far; 0 where nobody knows.

    Yields:
        Batches of the next call.
    """
    while batches:
        seconds, most = seconds_of_a_batch(), 1
        if service.seconds_of_a_call and seconds:
            most = max(1, int(service.seconds_of_a_call / seconds))
        # Each has as many batches in all as the others, and of these as many in this turn as in the next ones.
        each = -(-batches // service.in_flight)
        turn = min(batches, -(-each // -(-each // most)) * service.in_flight)
        batches -= turn
        for calls in range(service.in_flight, 0, -1):
            size = -(-turn // calls)
            turn -= size
            if size:
                yield size
