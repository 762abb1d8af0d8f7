"""The work of `db3kd bench wire`."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from db3kd.bench.wire import WireFigure, measure_wire
from db3kd.cli.work.tables import print_table
from db3kd.errors import TeacherError
from db3kd.plan.teacher_keys import TeacherSection
from db3kd.plan.teachers import open_teacher
from db3kd.report.tables import UNKNOWN, Column, Table, percent
from db3kd.runs.files import write_atomically
from db3kd.teachers import Teacher

_SECONDS_TO_START = 120.0


def measure_and_show(
    uri: str, sizes: Sequence[int], *, in_flight: int, server: str | None, metrics: str | None, file: Path | None
) -> None:
    """Serve a teacher, measure it both ways, and print what came out.

    Args:
        uri: of the teacher, with options.
        sizes: rows of a request.
        in_flight: requests at once.
        server: URI of the same teacher on a server that runs already; None serves it here.
        metrics: URL of that server's counters; None where they are beside its models.
        file: for all figures, or None.
    """
    here = open_teacher(TeacherSection(uri=uri)).teacher

    def there(url: str) -> list[WireFigure]:
        def opened(rows: int) -> Teacher:
            return open_teacher(TeacherSection(uri=url, max_batch=rows, in_flight=in_flight)).teacher

        return measure_wire(here, opened, metrics or f"{url.partition('/v2/')[0]}/metrics", sizes=sizes)

    if server is None:
        with _serving(uri, max(sizes)) as url:
            figures = there(url)
    else:
        figures = there(server)
    if file is not None:
        about = {"teacher": uri, "server": server or "db3kd serve", "in_flight": in_flight}
        content = {**about, "figures": [figure.to_json() for figure in figures]}
        write_atomically(file, (json.dumps(content, indent=2) + "\n").encode())
    columns = [Column(title) for title in ("rows a request", "in the process", "over the wire", "of that")]
    columns += [Column("server in the teacher"), Column("server on requests")]
    rows = tuple(
        (
            f"{figure.rows:,}",
            f"{figure.in_process:,.0f} rows/s",
            f"{figure.over_the_wire:,.0f} rows/s",
            percent(figure.over_the_wire / figure.in_process),
            UNKNOWN if figure.teacher_share is None else percent(figure.teacher_share),
            UNKNOWN if figure.server_share is None else percent(figure.server_share),
        )
        for figure in figures
    )
    print_table(Table(tuple(columns), rows), uri)


@contextmanager
def _serving(uri: str, rows: int) -> Iterator[str]:
    """Run `db3kd serve` on loopback; yields the model's URL."""
    with socket.socket() as probing:
        probing.bind(("127.0.0.1", 0))
        port = probing.getsockname()[1]
    command = (sys.executable, "-m", "db3kd", "serve", "--teacher", uri, "--port", str(port), "--max-rows", str(rows))
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
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
