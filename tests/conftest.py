"""What holds for every test: shapes are checked as the code runs, and nothing leaves this machine."""

import ipaddress
import socket
import sys
from collections.abc import Iterator

import pytest
from jaxtyping import install_import_hook

if "db3kd" in sys.modules:
    raise RuntimeError("db3kd was imported before tests/conftest.py: its shapes would go unchecked")
# Elsewhere are hardly any shapes, mypy has checked all other types, and the checks would double the time of the tests.
_WITH_SHAPES = (
    *("acquisition", "answers", "augmentation", "boundary", "data", "evaluation", "models", "oracle"),
    *("pools", "softening", "teachers", "training"),
)
install_import_hook([*(f"db3kd.{name}" for name in _WITH_SHAPES), "benchmarks"], "beartype.beartype")


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
