"""`db3kd serve`: any teacher as a label-only server."""

import re
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from db3kd.cli import options
from db3kd.cli.display import remark
from db3kd.cli.options import content_of
from db3kd.errors import PlanError, needing
from db3kd.ledger import Ledger
from db3kd.plan import open_teacher, parse_plan

_LOOPBACK = ("127.0.0.1", "::1", "localhost")


def serve(
    teacher: Annotated[str, typer.Option(help="URI of the teacher, with options.", metavar="URI")],
    *,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on.")] = 8000,
    host: Annotated[str, typer.Option(help="Address to bind to; other machines reach only another one.")] = "127.0.0.1",
    name: Annotated[str, typer.Option(help="Name of the model, as in /v2/models/NAME.")] = "teacher",
    clients: Annotated[Path | None, typer.Option(help="Who may ask what and how fast: tables in TOML.")] = None,
    ledger: Annotated[Path | None, typer.Option(help="File in which budgets outlive a restart.")] = None,
    remember: Annotated[
        Path | None, typer.Option(help="Folder of answers: an image that anybody asked about is never asked again.")
    ] = None,
    budget: Annotated[int | None, typer.Option(min=0, help="Without --clients: most rows in all.")] = None,
    rate_limit: Annotated[float | None, typer.Option(help="Without --clients: most rows a second.")] = None,
    max_rows: Annotated[int, typer.Option(min=1, help="Most images of a request.")] = 1024,
    max_bytes: Annotated[int | None, typer.Option(min=1, help="Most bytes of a request; by default enough.")] = None,
    settings: options.SET = None,
    device: options.DEVICE = "cpu",
) -> None:
    """Serve any teacher by the Open Inference Protocol v2: it answers with classes and nothing else."""
    if clients is not None and (budget is not None or rate_limit is not None):
        raise typer.BadParameter("--budget and --rate-limit are for all alike; --clients says them for each")
    with needing("serve", "serving", outcome="nothing was served"):
        # Here and not above: the extra is optional.
        from db3kd.serving import Clients, Grant, Memory, RequestLimits, make_application, read_grants
        from db3kd.serving.binding import bound, listen
        from db3kd.serving.clients import ANYBODY
    if not re.fullmatch(r"[A-Za-z0-9._-]+", name):
        raise PlanError(f"the model's name is part of a URL: letters, digits, '.', '_' and '-', got {name!r}")
    section = parse_plan(content_of(None, settings, teacher__uri=teacher)).teacher
    assert section is not None, "its URI is given"
    opened = open_teacher(section, device=device).teacher
    grants = {ANYBODY: Grant(None, budget, rate_limit)} if clients is None else read_grants(clients)
    if clients is None and host not in _LOOPBACK:
        remark(f"anybody who reaches {host} may ask: name clients with --clients")
    with (
        Ledger(ledger) as books,
        nullcontext() if remember is None else Memory(remember, opened.spec) as memory,
    ):
        known = Clients(books, grants, burst=max_rows)
        limits = RequestLimits(rows=max_rows, body_bytes=max_bytes)
        application = make_application(opened, known, name=name, limits=limits, memory=memory)
        line = bound(host, port)
        remark(f"serving {section.uri} at http://{host}:{line.getsockname()[1]}/v2/models/{name}")
        try:
            listen(application, line)
        finally:
            known.close()
