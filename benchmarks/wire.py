"""How many rows a second a teacher answers in the process and over the wire, and where the time goes.

The teacher is served on loopback by the server that `db3kd serve` runs, in a process of its own, and asked by the
client that a plan uses. `python -m benchmarks.wire` has the options.
"""

import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import torch
import typer
import urllib3

from benchmarks import command
from db3kd.errors import TeacherError
from db3kd.ledger import Ledger
from db3kd.oracle import Oracle
from db3kd.teachers import Teacher
from db3kd.tensors import Float, Int, Tensor

_SECONDS = 3.0
_SECONDS_TO_START = 120.0
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
        teacher_share: the part of the wall-clock time that the server spent in the teacher; None where the server
            does not count it. It can be more than 1 where the server takes several requests at once.
        server_share: the part that it spent on requests, the teacher's included; likewise.
    """

    rows: int
    in_process: float
    over_the_wire: float
    teacher_share: float | None
    server_share: float | None


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
    """Seconds that the server spent, by its own counters; nothing where it has none."""
    try:
        answer = urllib3.request("GET", metrics, retries=False)
    except urllib3.exceptions.HTTPError:
        return {}
    text = answer.data.decode(errors="replace") if answer.status == 200 else ""
    found = {name: re.findall(pattern, text, re.MULTILINE) for name, pattern in _SPENT.items()}
    return {name: sum(map(float, seconds)) for name, seconds in found.items() if seconds}


@contextmanager
def _serving(uri: str, rows: int) -> Iterator[str]:
    """Run `db3kd serve` on loopback; yields the model's URL."""
    with socket.socket() as probing:
        probing.bind(("127.0.0.1", 0))
        port = probing.getsockname()[1]
    program = (sys.executable, "-m", "db3kd", "serve", "--teacher", uri, "--port", str(port), "--max-rows", str(rows))
    with subprocess.Popen(program, stderr=subprocess.DEVNULL) as process:
        try:
            deadline = time.monotonic() + _SECONDS_TO_START
            while process.poll() is None and time.monotonic() < deadline:
                try:
                    socket.create_connection(("127.0.0.1", port), timeout=1.0).close()
                except OSError:
                    time.sleep(0.1)
                else:
                    yield f"http://127.0.0.1:{port}/v2/models/teacher"
                    return
            raise TeacherError(f"db3kd serve did not come up at port {port}; nothing was measured: try it by hand")
        finally:
            process.terminate()


def wire(
    *,
    teacher: Annotated[str, typer.Option(help="The teacher, with options; it is served on loopback.")],
    sizes: Annotated[str, typer.Option(help="Rows of a request.")] = "1,64,256,1024",
    in_flight: Annotated[int, typer.Option(min=1, help="Requests at once.")] = 2,
    server: Annotated[
        str | None, typer.Option(help="Measure this URI of the same teacher on a server that runs already.")
    ] = None,
    metrics: Annotated[
        str | None, typer.Option(help="Where that server has its counters; left out: /metrics next to its models.")
    ] = None,
    file: Annotated[Path | None, typer.Option("--json", help="Write all figures to this file.")] = None,
) -> None:
    """Measure what the wire costs: rows a second in the process and through `db3kd serve` on loopback."""
    command.check_file(file)
    rows, here = [int(size) for size in command.listed(sizes)], command.teacher_of(teacher)

    def measure(url: str) -> list[WireFigure]:
        def there(count: int) -> Teacher:
            return command.teacher_of(url, max_batch=count, in_flight=in_flight)

        return measure_wire(here, there, metrics or f"{url.partition('/v2/')[0]}/metrics", sizes=rows)

    if server is None:
        with _serving(teacher, max(rows)) as url:
            figures = measure(url)
    else:
        figures = measure(server)
    about = {"teacher": teacher, "server": server or "db3kd serve", "in_flight": in_flight}
    command.write(file, {**about, "figures": [asdict(figure) for figure in figures]})
    command.print_table(teacher, [_row(figure) for figure in figures])


def _row(figure: WireFigure) -> dict[str, str]:
    return {
        "rows a request": f"{figure.rows:,}",
        "in the process": f"{figure.in_process:,.0f} rows/s",
        "over the wire": f"{figure.over_the_wire:,.0f} rows/s",
        "of that": command.percent(figure.over_the_wire / figure.in_process),
        "server in the teacher": command.percent(figure.teacher_share),
        "server on requests": command.percent(figure.server_share),
    }


if __name__ == "__main__":
    command.run(wire, "wire")
