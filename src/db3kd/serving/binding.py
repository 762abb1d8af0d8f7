"""The address that a served teacher is bound to, and uvicorn, which listens there.

Slow clients, encryption and the like are for a reverse proxy in front of it.
"""

import socket

import uvicorn
from starlette.applications import Starlette

from db3kd.errors import PlanError

_KEEP_ALIVE_SECONDS = 75
_MOST_CONNECTIONS = 1024
_MOST_HEADER_BYTES = 2**16


def configure(application: Starlette, host: str, port: int) -> uvicorn.Config:
    """Configure one process that serves an application at a port, 0 for any that is free."""
    return uvicorn.Config(
        application,
        host=host,
        port=port,
        # Not httptools, which takes a header of any length.
        http="h11",
        h11_max_incomplete_event_size=_MOST_HEADER_BYTES,
        limit_concurrency=_MOST_CONNECTIONS,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        log_level="warning",
        access_log=False,
        lifespan="off",
        ws="none",
        server_header=False,
    )


def bound(host: str, port: int) -> socket.socket:
    """Take an address, with 0 for any port that is free; a PlanError where it cannot be had."""
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except (OSError, UnicodeError) as error:
        raise PlanError(
            f"{host}:{port} cannot be listened at ({error}); nothing was served: name an address of this machine, and "
            "a port that is free"
        ) from error


def listen(application: Starlette, line: socket.socket) -> None:
    """Serve at an address that was taken until the process is asked to end."""
    host, port = line.getsockname()[:2]
    with line:
        uvicorn.Server(configure(application, host, port)).run(sockets=[line])
