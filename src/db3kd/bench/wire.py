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
# What db3kd serve calls its counters, and MLServer.
_SPENT = {
    "teacher": r"^(?:db3kd_teacher_seconds_total|model_infer_request_duration_sum)(?:\{.*\})? ([0-9.e+-]+)$",
    "request": r"^(?:db3kd_request_seconds_total|rest_server_request_duration_seconds_sum)(?:\{.*\})? ([0-9.e+-]+)$",
}


@dataclass(frozen=True)
class WireFigure:
    """One size of a request.

    Args:
        rows: of a request.
        in_process: rows a second of the teacher itself, in calls of its own size.
        over_the_wire: rows a second over loopback.
        teacher_share: the part of the wall-clock time that the server spent in the teacher; None where the server does
            not tell. It can be more than 1 where the server takes several requests at once.
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
    here: Teacher, there: Callable[[int], Teacher], metrics: str, *, sizes: Sequence[int], seed: int = 0
) -> list[WireFigure]:
    """Measure a teacher in the process and over the wire.

    Args:
        here: the teacher in this process.
        there: opens the served one, for requests of so many rows.
        metrics: URL of the server's counters, for Prometheus.
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
        teacher, before = there(rows), _spent(metrics)
        started = time.perf_counter()
        rate = _rate(teacher, noise[: max(rows * teacher.spec.service.in_flight, min(rows * 16, len(noise)))])
        wall, after = time.perf_counter() - started, _spent(metrics)
        # A counter that nobody has asked for yet may not be there before.
        shares = {name: (after[name] - before.get(name, 0.0)) / wall for name in after}
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


def _spent(metrics: str) -> dict[str, float]:
    """Seconds that the server spent, as its counters tell; nothing where it has none."""
    try:
        answer = urllib3.request("GET", metrics, retries=False)
    except urllib3.exceptions.HTTPError:
        return {}
    text = answer.data.decode(errors="replace") if answer.status == 200 else ""
    found = {name: re.findall(pattern, text, re.MULTILINE) for name, pattern in _SPENT.items()}
    return {name: sum(map(float, seconds)) for name, seconds in found.items() if seconds}
