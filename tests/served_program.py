"""Other people's servers on loopback, as processes of their own: started, waited for, and ended."""

import os
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import urllib3


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens at, each another one."""
    with ExitStack() as held:
        lines = [held.enter_context(socket.socket()) for _ in range(count)]
        for line in lines:
            line.bind(("127.0.0.1", 0))
        return [line.getsockname()[1] for line in lines]


@contextmanager
def served_program(
    command: Sequence[str | Path], folder: Path, ready: Sequence[str], environment: Mapping[str, str]
) -> Iterator[None]:
    """Run a server until the block is left.

    Args:
        command: the program and its arguments.
        folder: that it runs in, and where `server.log` goes.
        ready: URLs that answer with status 200 once it is.
        environment: variables beside those that are set here.

    Yields:
        Nothing, once it is ready.
    """
    log = folder / "server.log"
    with log.open("w") as written:
        server = subprocess.Popen(
            command, stdout=written, stderr=written, cwd=folder, env={**os.environ, **environment}
        )
    try:
        _wait(server, ready, log)
        yield
    finally:
        server.terminate()
        server.wait(60)


def _wait(server: subprocess.Popen[bytes], ready: Sequence[str], log: Path) -> None:
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        assert server.poll() is None, log.read_text()
        try:
            if all(urllib3.request("GET", one, retries=False).status == 200 for one in ready):
                return
        except urllib3.exceptions.HTTPError:
            pass
        time.sleep(0.2)
    raise AssertionError(log.read_text())
