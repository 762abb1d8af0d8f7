"""The address that a served teacher is bound to, and the program that listens there.

Called by `db3kd serve`; the application itself knows no address.
"""

import uvicorn
from starlette.applications import Starlette

from db3kd.serving.connections import WatchedConnection

_KEEP_ALIVE_SECONDS = 75


def configure(application: Starlette, host: str, port: int) -> uvicorn.Config:
    """Say how an application is served.

    Args:
        application: as `make_application` makes it.
        host: address to bind to.
        port: to listen at; 0 for any that is free.

    Returns:
        The configuration: one process, connections as `WatchedConnection` watches them, no header that tells what
        serves.
    """
    return uvicorn.Config(
        application,
        host=host,
        port=port,
        http=WatchedConnection,
        log_level="warning",
        access_log=False,
        lifespan="off",
        ws="none",
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
    )


def listen(application: Starlette, host: str, port: int) -> None:
    """Serve until the process is told to end.

    Args:
        application: as `make_application` makes it.
        host: address to bind to.
        port: to listen at.
    """
    uvicorn.Server(configure(application, host, port)).run()
