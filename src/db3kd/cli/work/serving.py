"""The work of `db3kd serve`."""

import re
from dataclasses import dataclass
from pathlib import Path

from db3kd.cli.display import remark
from db3kd.errors import InputError, PlanError
from db3kd.ledger import Ledger
from db3kd.plan.teacher_keys import TeacherSection
from db3kd.plan.teachers import open_teacher

_LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True)
class Offer:
    """How a teacher is offered.

    Args:
        host: address to bind to.
        port: to listen at.
        name: of the model.
        clients: file that says who may ask; None for anybody.
        ledger: file of the budgets; None keeps them in memory.
        budget: of anybody.
        rate_limit: of anybody, in rows a second.
        max_rows: of a request.
        max_bytes: of a request.
    """

    host: str
    port: int
    name: str
    clients: Path | None
    ledger: Path | None
    budget: int | None
    rate_limit: float | None
    max_rows: int
    max_bytes: int | None


def serve_teacher(uri: str, offer: Offer, *, device: str) -> None:
    """Serve a teacher until the process is told to end.

    Args:
        uri: of the teacher, with options.
        offer: how.
        device: where a torch teacher runs.
    """
    try:
        from db3kd.plan.clients import read_clients
        from db3kd.serving import Clients, Grant, Limits, make_application
        from db3kd.serving.binding import listen
    except ImportError as error:
        raise InputError(
            f"serving needs the extra serve, and {error.name} is not installed; nothing was served: "
            "pip install 'db3kd[serve]'"
        ) from error
    if not re.fullmatch(r"[A-Za-z0-9._-]+", offer.name):
        raise PlanError(f"the model's name is part of a URL: letters, digits, '.', '_' and '-', got {offer.name!r}")
    teacher = open_teacher(TeacherSection(uri=uri), device=device).teacher
    anybody = {"anybody": Grant(None, offer.budget, offer.rate_limit)}
    grants = anybody if offer.clients is None else read_clients(offer.clients)
    if offer.clients is None and offer.host not in _LOOPBACK:
        remark(f"anybody who reaches {offer.host} may ask: name clients with --clients")
    with Ledger(offer.ledger) as ledger:
        clients = Clients(ledger, grants, burst=offer.max_rows)
        limits = Limits(rows=offer.max_rows, body_bytes=offer.max_bytes)
        application = make_application(teacher, clients, name=offer.name, limits=limits)
        remark(f"serving {uri.partition('?')[0]} at http://{offer.host}:{offer.port}/v2/models/{offer.name}")
        try:
            listen(application, offer.host, offer.port)
        finally:
            clients.close()
