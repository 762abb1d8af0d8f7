"""What holds for every test: chance is the same in each run, nothing leaves this machine; with SHAPES=1, shapes too."""

import ipaddress
import os
import random
import re
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import settings
from jaxtyping import install_import_hook

# Looking at every shape takes a third longer, so that only `make test-slow`, `make test-all` and CI do it.
if os.environ.get("SHAPES"):
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


# What Hypothesis draws follows from the test. `--hypothesis-profile=default` draws anew.
settings.register_profile("repeatable", derandomize=True)
settings.load_profile("repeatable")


def _same_chance() -> None:
    """For weights that a network draws itself, and for libraries that draw: ours take a generator."""
    random.seed(0)  # noqa: TID251
    np.random.seed(0)  # noqa: NPY002, TID251
    torch.manual_seed(0)  # noqa: TID251


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Let fixtures draw the same weights and images, whichever tests came before."""
    _same_chance()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call() -> None:
    """The same for the test itself, whichever fixtures were there already."""
    _same_chance()


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
