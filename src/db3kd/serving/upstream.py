"""The teacher behind a server, and a request of a client as the calls that this teacher takes.

An oracle lasts for one request; what must hold from one to the next is here.
"""

import time
from dataclasses import replace
from typing import final

from db3kd.ledger import Account
from db3kd.oracle import Oracle
from db3kd.serving.memory import Memory
from db3kd.teachers import Service, Teacher, TeacherSpec
from db3kd.teachers.exchange import checked
from db3kd.tensors import Float, Int, Tensor


@final
class Upstream:
    """The teacher itself: each answer is noted when it comes, since another call of its request may fail."""

    def __init__(self, teacher: Teacher, memory: Memory | None) -> None:
        self.spec: TeacherSpec = teacher.spec
        self._teacher, self._memory = teacher, memory
        self._free_at = 0.0

    def __call__(self, images: Float[Tensor, "b c h w"]) -> Int[Tensor, " b"]:
        if self.spec.service.rows_per_second is not None:
            self._free_at = time.monotonic() + len(images) / self.spec.service.rows_per_second
        decisions = checked(self._teacher(images), len(images), self.spec)
        if self._memory is not None:
            self._memory.note(images, decisions)
        return decisions

    def wait(self) -> None:
        """Wait until its rate allows the first call of a request; the oracle knows no request but its own."""
        time.sleep(max(0.0, self._free_at - time.monotonic()))


@final
class WholeRequest:
    """A teacher that takes a request in one call, so that a budget that does not reach for all of it sends nothing."""

    def __init__(self, upstream: Upstream, account: Account, rows: int) -> None:
        self.spec: TeacherSpec = replace(upstream.spec, max_batch=rows, service=Service())
        self.asking = Oracle(upstream, account, known=True)
        self._upstream, self._account = upstream, account

    def __call__(self, images: Float[Tensor, "b c h w"]) -> Int[Tensor, " b"]:
        """Decide, in calls of the teacher's own size; each is charged before it is sent and repeated alone."""
        self._upstream.wait()
        self._account.release(len(images))
        return self.asking(images)
