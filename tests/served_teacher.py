"""Our own server: on loopback, as `db3kd serve` runs it, in a thread of the test; or without a socket, by a call."""

import asyncio
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import orjson
import torch
import uvicorn
from starlette.applications import Starlette

from db3kd.ledger import Ledger
from db3kd.serving import Clients, Grant, RequestLimits, make_application
from db3kd.serving.binding import bound, configure
from db3kd.teachers import Teacher
from known_teachers import Counting, Sectors

SHAPE = (1, 4, 4)
IMAGES = torch.rand(40, *SHAPE, generator=torch.Generator().manual_seed(0))
INFER = "/v2/models/teacher/infer"


@contextmanager
def served(
    teacher: Teacher, grants: Mapping[str, Grant] | None = None, *, limits: RequestLimits | None = None, port: int = 0
) -> Iterator[str]:
    """Serve a teacher while the test goes on; yields the server's URL."""
    limits = limits or RequestLimits()
    with Ledger(None) as ledger:
        clients = Clients(ledger, grants or {}, burst=limits.rows)
        application = make_application(teacher, clients, limits=limits)
        # It listens from here on: whoever comes before the server is up waits in the line.
        with bound("127.0.0.1", port) as line:
            server = uvicorn.Server(configure(application, *line.getsockname()))
            thread = threading.Thread(target=server.run, args=([line],), daemon=True)
            thread.start()
            try:
                yield f"http://127.0.0.1:{line.getsockname()[1]}"
            finally:
                server.should_exit = True
                thread.join(20)
                clients.close()


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    content: bytes

    @property
    def text(self) -> str:
        return self.content.decode(errors="replace")

    def json(self) -> Any:
        return json.loads(self.content)


def call(
    application: Starlette, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
) -> Answer:
    """Call the application itself; an error in it is an error here."""
    sent: list[dict[str, Any]] = []
    pairs = [(name.lower().encode(), value.encode("latin-1")) for name, value in (headers or {}).items()]
    scope = {"type": "http", "method": method, "path": path, "raw_path": path.encode(), "query_string": b""}

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    about = {"headers": pairs, "http_version": "1.1", "scheme": "http", "root_path": "", "server": ("test", 80)}
    asyncio.run(application({**scope, **about}, receive, send))
    content = b"".join(message.get("body", b"") for message in sent[1:])
    names = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return Answer(sent[0]["status"], names, content)


def question(rows: int = 2, /, **changes: Any) -> dict[str, Any]:
    """A request about the first images."""
    data = IMAGES[:rows].flatten().tolist()
    tensor = {"name": "images", "datatype": "FP32", "shape": [rows, *SHAPE], "data": data, **changes}
    return {"id": "7", "inputs": [tensor]}


class LocalServer:
    """The application in this process, without a socket, with what its teacher saw."""

    def __init__(self, grants: dict[str, Grant] | None = None, **limits: Any) -> None:
        self.seen = Counting(Sectors(SHAPE))
        self.ledger = Ledger(None)
        asked = RequestLimits(rows=8, **limits)
        clients = Clients(self.ledger, grants or {}, burst=asked.rows)
        self.application = make_application(self.seen, clients, limits=asked)

    def get(self, path: str) -> Answer:
        return call(self.application, "GET", path)

    def ask(self, asked: object, token: str = "", **headers: str) -> Answer:
        sent = {"Authorization": f"Bearer {token}", **headers} if token else headers
        content = asked if isinstance(asked, bytes) else orjson.dumps(asked)
        return call(self.application, "POST", INFER, content, sent)
