"""Replicas of a teacher as Ray actors, which the oracle asks as one teacher that takes several calls at once.

Oracle, ledger and journal stay in the process that started them. Ray restarts an actor and repeats no question: what a
lost actor was asked may have been served, and the oracle charges it again.
"""

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import Any, final

import torch

from db3kd.data.dataset import as_bytes, in_unit
from db3kd.errors import Db3kdError, MaybeServed, NotServed, PlanError, TeacherError
from db3kd.scaling.cluster import Cluster
from db3kd.scaling.connection import connected, cores_of
from db3kd.teachers import Service, Teacher, TeacherSpec
from db3kd.tensors import Float, Int, Tensor, UInt8

_log = logging.getLogger(__name__)

_SECONDS_UNTIL_AGAIN = 1.0
# A call by Ray takes 5 to 10 ms of a core, and what is lost with a replica is a call.
_SECONDS_OF_A_CALL = 0.2


@final
class Replicas:
    """One teacher that decides in several processes; see `replicated`."""

    def __init__(self, spec: TeacherSpec, actors: list[Any], patience: float) -> None:
        service = replace(spec.service, in_flight=len(actors), seconds_of_a_call=_SECONDS_OF_A_CALL)
        self.spec = replace(spec, service=service)
        self._patience, self._left, self._closed = patience, len(actors), False
        self._idle: queue.Queue[Any] = queue.Queue()
        # How many are at work, and when one was there at last.
        self._busy, self._seen, self._lock = 0, time.monotonic(), threading.Lock()
        for actor in actors:
            self._expect(actor)

    def __call__(self, images: Float[Tensor, "b c h w"]) -> Int[Tensor, " b"]:
        """Decide in the first replica that is idle; see `Teacher`."""
        import ray

        actor = self._take()
        try:
            decisions = ray.get(actor.decide.remote(_shortest(images.detach().cpu()).numpy()))
        except ray.exceptions.RayTaskError as error:
            # The replica is well, and the teacher raised this.
            self._give_back(actor)
            if isinstance(error.cause, Db3kdError):
                raise error.cause from None
            raise TeacherError(
                f"a replica of the teacher raised {error.cause!r}; the {len(images)} rows stay charged, and what was "
                "bought before is kept: correct it and run again to go on"
            ) from error
        except ray.exceptions.RayError as error:
            self._give_back(None)
            self._expect(actor)
            raise MaybeServed(f"a replica of the teacher was lost: {type(error).__name__}") from error
        self._give_back(actor)
        return torch.from_numpy(decisions.copy())

    @property
    def idle(self) -> int:
        """How many replicas are there and have nothing to do."""
        return self._idle.qsize()

    def close(self) -> None:
        """Expect no replica any more: they are ended now."""
        self._closed = True

    def _take(self) -> Any:
        """Wait for a replica that is idle; patience ends only where none is at work either."""
        while self._left and (self._busy or time.monotonic() - self._seen < self._patience):
            try:
                actor = self._idle.get(timeout=min(self._patience, 1.0))
            except queue.Empty:
                continue
            with self._lock:
                self._busy += 1
            return actor
        raise NotServed(
            f"no replica of the teacher was there within {self._patience:.0f} seconds; what was bought before is kept: "
            "see to the cluster and run again to go on, with as many replicas as there is room for, or without them",
            again=False,
        )

    def _give_back(self, actor: Any) -> None:
        """Let others have a replica that has done its work; None for one that was lost at it."""
        with self._lock:
            self._busy, self._seen = self._busy - 1, time.monotonic()
        if actor is not None:
            self._idle.put(actor)

    def _expect(self, actor: Any) -> None:
        """Take a replica in when it is ready, at first and after it was lost."""
        import ray

        def hear(done: Any) -> None:
            fault = done.exception()
            if fault is None:
                self._seen = time.monotonic()
                self._idle.put(actor)
                return
            if self._closed:
                return
            if isinstance(fault, ray.exceptions.ActorUnavailableError):
                # It may be well again: Ray cannot say.
                again = threading.Timer(_SECONDS_UNTIL_AGAIN, self._expect, (actor,))
                again.daemon = True
                again.start()
                return
            self._left -= 1
            _log.warning("a replica of the teacher is lost for good: %s", fault)

        actor.fingerprint.remote().future().add_done_callback(hear)


@contextmanager
def replicated(cluster: Cluster | None, teacher: Teacher) -> Iterator[Teacher]:
    """Start replicas of a teacher, and end them with the block.

    Args:
        cluster: where, and how many; None for no cluster, and the teacher itself.
        teacher: says what is asked; it decides nothing here.

    Yields:
        A teacher that gives what the one given does, with a call in flight for each replica.

    Raises:
        InputError: Ray is not installed, there is no such cluster, or the teacher is a service or cannot be sent;
            nothing was asked.
        TeacherError: no replica is there in time, or it is another teacher than here; nothing was asked.
    """
    if cluster is None:
        yield teacher
        return
    if not cluster.replicas:
        with connected(cluster):
            yield teacher
        return
    if teacher.spec.meter is not None or teacher.spec.service != Service():
        raise PlanError(
            "the teacher is a service, and all replicas would ask the same one; nothing was asked: set "
            "cluster.replicas to 0 or leave the cluster out, and let teacher.in_flight say how many calls it takes"
        )
    with connected(cluster) as ray:
        # Held until the end: Ray reads it again for a replica that it starts anew.
        sent = _send(ray, cluster.opening or (lambda: teacher))
        kind = ray.remote(max_restarts=-1, max_task_retries=0, num_cpus=cluster.cpus, num_gpus=cluster.gpus)(_Replica)
        room = int(cores_of(ray) / cluster.cpus) if cluster.cpus else cluster.replicas
        if room < cluster.replicas:
            _log.warning("the cluster has cores for %d of %d replicas: the others wait", room, cluster.replicas)
        actors = [kind.remote(sent, cluster.cpus) for _ in range(cluster.replicas)]
        try:
            _check(ray, actors, teacher.spec, cluster)
            with closing(Replicas(teacher.spec, actors, cluster.patience)) as replicas:
                yield replicas
        finally:
            for actor in actors:
                ray.kill(actor)


def _send(ray: Any, opening: Callable[[], Teacher]) -> Any:
    try:
        return ray.put(opening)
    except (TypeError, ValueError, AttributeError) as error:
        raise PlanError(
            f"the teacher cannot be sent to a replica ({error}); nothing was asked: give Cluster(opening=...), a "
            "function that opens it there"
        ) from error


def _check(ray: Any, actors: list[Any], spec: TeacherSpec, cluster: Cluster) -> None:
    """Wait for the first replica, and refuse another teacher than the one that is known here."""
    first, _ = ray.wait([actor.fingerprint.remote() for actor in actors], num_returns=1, timeout=cluster.patience)
    if not first:
        raise TeacherError(
            f"no replica of the teacher was there within {cluster.patience:.0f} seconds; nothing was asked: each "
            f"needs {cluster.cpus:g} free CPUs and {cluster.gpus:g} free GPUs: make room, or raise the patience"
        )
    try:
        found = ray.get(first[0])
    except ray.exceptions.RayError as error:
        raise TeacherError(f"a replica could not open the teacher: {error}; nothing was asked: correct it") from error
    if found != spec.fingerprint:
        raise PlanError(
            f"a replica has the teacher {found!r}, and here it is {spec.fingerprint!r}; nothing was asked: put the "
            "same file on all machines"
        )


def _shortest(images: Float[Tensor, "b c h w"]) -> UInt8[Tensor, "b c h w"] | Float[Tensor, "b c h w"]:
    """Send images in a quarter of the bytes where nothing is lost."""
    short = as_bytes(images)
    return short if torch.equal(in_unit(short), images) else images


class _Replica:
    """What runs in an actor."""

    def __init__(self, opening: Callable[[], Teacher], cpus: float) -> None:
        torch.set_num_threads(max(1, int(cpus)))
        self._teacher = opening()

    def fingerprint(self) -> str:
        return self._teacher.spec.fingerprint

    def decide(self, images: Any) -> Any:
        decided = list[Tensor]()
        for batch in in_unit(torch.from_numpy(images.copy())).split(self._teacher.spec.max_batch):
            try:
                decided.append(self._teacher(batch).cpu())
            except NotServed as failure:
                if not decided:
                    raise
                # The whole call is sent again, and of its rows these were served.
                raise MaybeServed(
                    f"{failure}, after {sum(map(len, decided))} rows of the call were served"
                ) from failure
        return torch.cat(decided).numpy()
