"""A clock that stands still for the oracle, so that a test knows what it would wait for, and does not wait."""

import threading
import time
from types import SimpleNamespace

import pytest


def stopped(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Stop the oracle's clock until the test ends; gives the seconds that it wanted to wait, as they come."""
    waits: list[float] = []

    class Waited(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            assert timeout is not None
            waits.append(timeout)
            return self.is_set()

    monkeypatch.setattr("db3kd.oracle.oracle.threading", SimpleNamespace(Event=Waited))
    clock = SimpleNamespace(monotonic=lambda: 0.0, perf_counter=time.perf_counter)
    monkeypatch.setattr("db3kd.oracle.sending.time", clock)
    return waits
