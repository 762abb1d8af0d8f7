"""Runs are small in all tests of this room."""

import pytest

from made_runs import make_small


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    make_small(monkeypatch)
