"""`db3kd serve`: its arguments."""

from pathlib import Path
from typing import Annotated

import typer

from db3kd.cli import options


def serve(
    *,
    teacher: options.TEACHER,
    port: Annotated[int, typer.Option(min=0, max=65535, help="To listen at.")] = 8000,
    host: Annotated[str, typer.Option(help="Address to bind to; other machines reach only another one.")] = "127.0.0.1",
    name: Annotated[str, typer.Option(help="Of the model: /v2/models/NAME.")] = "teacher",
    clients: Annotated[
        Path | None, typer.Option(help="Who may ask, with which budget and how fast: a table per client, in TOML.")
    ] = None,
    ledger: Annotated[
        Path | None, typer.Option(help="File in which budgets outlive a restart; without it they do not.")
    ] = None,
    budget: Annotated[int | None, typer.Option(min=0, help="Without --clients: most rows in all.")] = None,
    rate_limit: Annotated[float | None, typer.Option(help="Without --clients: most rows a second.")] = None,
    max_rows: Annotated[int, typer.Option(min=1, help="Most images of a request.")] = 1024,
    max_bytes: Annotated[
        int | None, typer.Option(min=1, help="Most bytes of a request; by default what the images take in JSON.")
    ] = None,
    device: options.DEVICE = "cpu",
) -> None:
    """Serve any teacher by the Open Inference Protocol v2: it answers with classes and nothing else."""
    if clients is not None and (budget is not None or rate_limit is not None):
        raise typer.BadParameter("--budget and --rate-limit are for all alike; --clients says them for each")
    from db3kd.cli.work.serving import Offer, serve_teacher

    offer = Offer(host, port, name, clients, ledger, budget, rate_limit, max_rows, max_bytes)
    serve_teacher(teacher, offer, device=device)
