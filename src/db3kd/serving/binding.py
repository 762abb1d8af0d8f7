"""The address that a served teacher is bound to, and uvicorn, which listens there.

Slow clients, encryption and the like are for a reverse proxy in front of it.
"""

import uvicorn
from starlette.applications import Starlette

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


def listen(application: Starlette, host: str, port: int) -> None:
    """Serve until the process is asked to end."""
    uvicorn.Server(configure(application, host, port)).run()
