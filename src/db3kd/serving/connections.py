"""One connection to the server, which is closed where a client lets it wait or sends a header without end.

uvicorn waits for the header of a request as long as the client likes, and takes as much of it as comes; it queues as
many requests as are sent at once; and a client that finds the house full it does not tell when to come back, so that
nobody could know whether the question was charged. What may take how long once a header is there is the application's
business. Given to uvicorn by `binding.py`.
"""

import asyncio
from typing import Any, cast

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive, Scope, Send
from uvicorn import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from db3kd.serving.application import refuse

HEADER_SECONDS = 10.0
READING_SECONDS = 30.0
MOST_CONNECTIONS = 256
_MOST_HEADER_BYTES = 2**16
_MOST_WAITING = 64
_SLICE_BYTES = 2**14
_SECONDS_UNTIL_ROOM = 1


# asyncio's own interface: it holds no code, and uvicorn's types ask for it.
class WatchedConnection(asyncio.Protocol):
    """Passes all that happens on to uvicorn, and keeps the time.

    A client has `HEADER_SECONDS` from the opening of the connection, or from the first byte of a further request, until
    the header of the request is whole, and `_MOST_HEADER_BYTES` for it. Between requests, uvicorn's own time for idle
    connections holds. A client that does not take in what it is sent has `READING_SECONDS`, and one that sends further
    requests without waiting for an answer may have `_MOST_WAITING` of them in the queue. One that comes when
    `MOST_CONNECTIONS` others are there is told to come back later.

    Args:
        config: uvicorn's.
        server_state: likewise.
        app_state: likewise.
        _loop: likewise; named as uvicorn names it.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self._inner = HttpToolsProtocol(config, server_state, app_state, _loop)
        if len(server_state.connections) >= MOST_CONNECTIONS:
            self._inner.app = _tell_full
        self._transport: asyncio.Transport | None = None
        self._header_timer: asyncio.TimerHandle | None = None
        self._reading_timer: asyncio.TimerHandle | None = None
        self._header_bytes = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client is there; its time runs."""
        self._transport = cast("asyncio.Transport", transport)
        self._inner.connection_made(self._transport)
        self._header_timer = self._close_in(HEADER_SECONDS)

    def data_received(self, data: bytes) -> None:
        """Something came: parts of headers, or of what follows them."""
        assert self._transport is not None, "a connection was made"
        # In slices, since what one reading of the line takes in may hold ten thousand requests.
        for start in range(0, len(data), _SLICE_BYTES):
            if self._transport.is_closing():
                return
            self._take(data[start : start + _SLICE_BYTES])

    def eof_received(self) -> None:
        """The client sends no more."""
        self._inner.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone, or was sent away."""
        self._cancel(self._header_timer)
        self._cancel(self._reading_timer)
        self._inner.connection_lost(exc)

    def pause_writing(self) -> None:
        """The client does not take in what it is sent."""
        self._inner.pause_writing()
        self._reading_timer = self._close_in(READING_SECONDS)

    def resume_writing(self) -> None:
        """It does again."""
        self._cancel(self._reading_timer)
        self._inner.resume_writing()

    def _take(self, data: bytes) -> None:
        """Pass a slice on, and look how far the client has come by it."""
        before = self._progress()
        self._inner.data_received(data)
        after = self._progress()
        if after != before:
            # A header or a body is whole, perhaps both. What came behind them is less than a slice.
            self._header_bytes = 0
            self._cancel(self._header_timer)
            self._header_timer = None
        elif not self._is_in_body():
            self._header_bytes += len(data)
            if self._header_bytes > _MOST_HEADER_BYTES:
                self._close()
            elif self._header_timer is None and not self._is_answering():
                self._header_timer = self._close_in(HEADER_SECONDS)
        if len(self._inner.pipeline) > _MOST_WAITING:
            self._close()

    def _progress(self) -> tuple[object, bool]:
        """The request whose header was last whole, and whether more of it is to come."""
        request = self._inner.cycle
        return request, request is not None and request.more_body

    def _is_answering(self) -> bool:
        request = self._inner.cycle
        return request is not None and not request.response_complete

    def _is_in_body(self) -> bool:
        """Whether the application reads a body, which it does in its own time and size."""
        return self._is_answering() and self._inner.cycle.more_body

    def _close_in(self, seconds: float) -> asyncio.TimerHandle:
        return self._inner.loop.call_later(seconds, self._close)

    def _close(self) -> None:
        assert self._transport is not None, "a connection was made"
        # Not `close`, which waits until a client that reads nothing has read what is still to be sent.
        self._transport.abort()

    def _cancel(self, timer: asyncio.TimerHandle | None) -> None:
        if timer is not None:
            timer.cancel()


async def _tell_full(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer any request: nothing was charged, come back later. A body is taken in first, or the answer were lost."""
    try:
        async with asyncio.timeout(READING_SECONDS):
            async for _ in Request(scope, receive).stream():
                pass
    except (ClientDisconnect, TimeoutError):
        pass
    said = f"{MOST_CONNECTIONS} clients are being served; nothing was charged"
    full = HTTPException(503, said, {"Retry-After": str(_SECONDS_UNTIL_ROOM), "Connection": "close"})
    await refuse(full)(scope, receive, send)
