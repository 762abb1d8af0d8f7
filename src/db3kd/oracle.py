"""The only caller of a teacher: it checks, splits into batches, charges, and then sends.

A query is charged before it is sent, so a budget error never follows a sent query. What may have been served and has to
be asked again is charged again. Searches and stages ask here; who pays is the account's business.
"""

import logging
import time
from dataclasses import dataclass

import torch
from jaxtyping import Shaped

from db3kd.errors import Db3kdError, ImageError, InvalidDecision, MaybeServed, NotServed, TeacherError
from db3kd.ledger import Account
from db3kd.teachers import Teacher, TeacherSpec
from db3kd.tensors import Float, Int, Tensor

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Usage:
    """What an oracle has done.

    Args:
        rows: rows that were answered.
        calls: calls to the teacher that were answered.
        seconds: time spent in the teacher.
        repeated: rows that were charged again because a lost call may have been served.
    """

    rows: int = 0
    calls: int = 0
    seconds: float = 0.0
    repeated: int = 0


class Oracle:
    """Asks a teacher on an account; called like a teacher, with any number of rows.

    Args:
        teacher: decides.
        account: pays.
        attempts: how often a batch is sent at most when its answers do not come.
        pause: seconds before the second attempt; doubled before each further one.
    """

    def __init__(self, teacher: Teacher, account: Account, *, attempts: int = 5, pause: float = 0.1) -> None:
        self.spec: TeacherSpec = teacher.spec
        self.usage = Usage()
        self._teacher, self._account, self._attempts, self._pause = teacher, account, attempts, pause

    def __call__(self, images: Float[Tensor, "n c h w"]) -> Int[Tensor, " n"]:
        """Get the teacher's decisions.

        Args:
            images: n images within the teacher's bounds, in input units.

        Returns:
            A class from 0 to num_classes - 1 for each image, on the images' device.

        Raises:
            ImageError: a wrong shape or type, a value out of bounds or not a number; nothing was charged.
            BudgetExhausted: the account does not allow the next batch; the batches before it are charged and lost
                unless what asks remembers them.
            InvalidDecision: the answer is not one class per image.
            TeacherError: the answers did not come.

        Cost: one query an image, charged batch by batch before it is sent.
        """
        self._check(images)
        if not len(images):
            # Split, no image at all would still make one batch.
            return torch.zeros(0, dtype=torch.int64, device=images.device)
        return torch.cat([self._ask(batch) for batch in images.split(self.spec.max_batch)]).to(images.device)

    def _check(self, images: Float[Tensor, "n c h w"]) -> None:
        expected = tuple(self.spec.input_shape)
        if images.ndim != 4 or tuple(images.shape[1:]) != expected or images.dtype != torch.float32:
            raise ImageError(
                f"expected float32 images of shape [n, {', '.join(map(str, expected))}], got {images.dtype} of shape "
                f"{list(images.shape)}; nothing was sent or charged: convert them or choose another teacher"
            )
        if not len(images):
            return
        low, high = (float(extreme) for extreme in torch.aminmax(images))
        # A comparison with NaN is false, so this refuses it too.
        if not (low >= self.spec.bounds[0] and high <= self.spec.bounds[1]):
            raise ImageError(
                f"expected pixels from {self.spec.bounds[0]} to {self.spec.bounds[1]}, got values from {low} to "
                f"{high}; nothing was sent or charged: scale the images into the teacher's bounds"
            )

    def _ask(self, batch: Float[Tensor, "b c h w"]) -> Int[Tensor, " b"]:
        self._account.charge(len(batch))
        for attempt in range(1, self._attempts + 1):
            started = time.perf_counter()
            try:
                decisions = self._call(batch)
            except (MaybeServed, NotServed) as failure:
                if attempt == self._attempts:
                    raise TeacherError(
                        f"the teacher did not answer {len(batch)} rows in {attempt} attempts, at last: {failure}; "
                        "what was bought before is kept: see to the teacher and run again to go on"
                    ) from failure
                _log.warning("attempt %d of %d failed: %s", attempt, self._attempts, failure)
                time.sleep(self._pause * 2 ** (attempt - 1))
                self._charge_again(failure, len(batch))
                continue
            self._count(len(batch), time.perf_counter() - started)
            return self._checked(decisions, len(batch))
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _call(self, batch: Float[Tensor, "b c h w"]) -> Shaped[Tensor, "..."]:
        """Call the teacher, which may be anybody's code and raise anything."""
        try:
            return self._teacher(batch)
        except Db3kdError:
            raise
        except Exception as error:
            raise TeacherError(
                f"the teacher raised {type(error).__name__}: {error}; the {len(batch)} rows stay charged, and what was "
                "bought before is kept: mend it and run again to go on"
            ) from error

    def _charge_again(self, failure: TeacherError, rows: int) -> None:
        if isinstance(failure, MaybeServed):
            self._account.charge(rows)
            self.usage = Usage(
                self.usage.rows, self.usage.calls, self.usage.seconds, repeated=self.usage.repeated + rows
            )

    def _count(self, rows: int, seconds: float) -> None:
        usage = self.usage
        self.usage = Usage(usage.rows + rows, usage.calls + 1, usage.seconds + seconds, usage.repeated)

    def _checked(self, decisions: Shaped[Tensor, "..."], rows: int) -> Int[Tensor, " b"]:
        if decisions.shape != (rows,) or decisions.is_floating_point() or decisions.is_complex():
            raise InvalidDecision(
                f"expected {rows} integers, one class per row, got {decisions.dtype} of shape {list(decisions.shape)}; "
                "the answer was dropped and stays charged: see to the teacher and run again to go on"
            )
        decisions = decisions.to(torch.int64)
        low, high = (int(extreme) for extreme in torch.aminmax(decisions))
        if low < 0 or high >= self.spec.num_classes:
            raise InvalidDecision(
                f"expected classes from 0 to {self.spec.num_classes - 1}, got {low if low < 0 else high}; the answer "
                "was dropped and stays charged: give the teacher's real number of classes"
            )
        return decisions
