"""How many rows a second a teacher answers in the process and over the wire, and where the time goes.

The teacher is served on loopback by the server that `db3kd serve` runs, in a process of its own, and asked by the
client that a plan uses. Called by `db3kd bench wire`.
"""

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import torch
import urllib3

from db3kd.ledger import Ledger
from db3kd.oracle import Oracle
from db3kd.teachers import Teacher
from db3kd.tensors import Float, Int, Tensor

_SECONDS = 3.0
_SPENT = re.compile(r"^db3kd_(teacher|request)_seconds_total ([0-9.e+-]+)$", re.MULTILINE)


@dataclass(frozen=True)
class WireFigure:
    """One size of a request.

    Args:
        rows: of a request.
        in_process: rows a second of the teacher itself, in calls of its own size.
        over_the_wire: rows a second over loopback.
        teacher_share: the part of the wall-clock time that the server spent in the teacher; None where the server does
            not tell.
        server_share: the part that it spent on requests, the teacher's included; likewise.
    """

    rows: int
    in_process: float
    over_the_wire: float
    teacher_share: float | None
    server_share: float | None

    def to_json(self) -> dict[str, object]:
        """The figures as JSON can hold them."""
        return asdict(self)


def measure_wire(
    here: Teacher, there: Callable[[int], Teacher], url: str, *, sizes: Sequence[int], seed: int = 0
) -> list[WireFigure]:
    """Measure a teacher in the process and over the wire.

    Args:
        here: the teacher in this process.
        there: opens the served one, for requests of so many rows.
        url: of the server, to ask for its counters.
        sizes: rows of a request.
        seed: of the noise that is asked.

    Returns:
        A figure for each size.

    Raises:
        TeacherError: the server failed.

    Cost: some seconds of questions for each size, on an account of their own.
    """
    generator = torch.Generator().manual_seed(seed)
    noise = torch.rand(4096, *here.spec.input_shape, generator=generator)
    plain = _rate(here, noise)
    figures = []
    for rows in sizes:
        teacher, before = there(rows), _spent(url)
        started = time.perf_counter()
        rate = _rate(teacher, noise[: max(rows * teacher.spec.service.in_flight, min(rows * 16, len(noise)))])
        wall, after = time.perf_counter() - started, _spent(url)
        shares = {name: (after[name] - before[name]) / wall for name in after if name in before}
        figures.append(WireFigure(rows, plain, rate, shares.get("teacher"), shares.get("request")))
    return figures


def _rate(teacher: Teacher, images: Float[Tensor, "n c h w"]) -> float:
    """Rows a second through an oracle, after a first round that is not timed."""
    with Ledger(None) as ledger, ledger.account("speed", block=2**20, held_out=True) as account:
        oracle = Oracle(teacher, account)
        decisions: Int[Tensor, " n"] = oracle(images)
        started, done = time.perf_counter(), 0
        while time.perf_counter() - started < _SECONDS:
            done += len(decisions)
            oracle(images)
        return done / (time.perf_counter() - started)


def _spent(url: str) -> dict[str, float]:
    """Seconds that the server spent, as its counters tell; nothing where it has none."""
    answer = urllib3.request("GET", f"{url}/metrics", retries=False)
    text = answer.data.decode(errors="replace") if answer.status == 200 else ""
    return {name: float(seconds) for name, seconds in _SPENT.findall(text)}
