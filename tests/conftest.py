"""What holds for every test: shapes are checked as the code runs, and nothing leaves this machine."""

import ipaddress
import re
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from jaxtyping import install_import_hook

if "db3kd" in sys.modules:
    raise RuntimeError("db3kd was imported before tests/conftest.py: its shapes would go unchecked")
# Wherever a module names a shape. Other types mypy has checked: with them, the slowest file took twice as long.
_SOURCE = Path(__file__).parents[1] / "src"
_WITH_SHAPES = [
    ".".join(path.relative_to(_SOURCE).with_suffix("").parts).removesuffix(".__init__")
    for path in sorted(_SOURCE.rglob("*.py"))
    if re.search(r"^from (?:db3kd\.tensors|jaxtyping) import", path.read_text(), re.MULTILINE)
]
install_import_hook([*_WITH_SHAPES, "benchmarks"], "beartype.beartype")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@pytest.fixture(autouse=True)
def _only_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse every connection to another machine: a test that needs one would pass here and fail offline."""
    connect = socket.socket.connect

    def connect_here(self: socket.socket, address: object) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6):
            assert isinstance(address, tuple)
            if not _is_loopback(address[0]):
                raise AssertionError(f"a test wanted to reach {address!r}; only loopback is allowed")
        connect(self, address)  # type: ignore[arg-type]  # the stub narrows what the method itself checks

    monkeypatch.setattr(socket.socket, "connect", connect_here)


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Two threads on very small networks wait for each other more than they compute.

    For a whole module, since what a module's fixtures compute is compared with what its tests do.
    """
    from db3kd.models.placement import one_thread

    with one_thread():
        yield
