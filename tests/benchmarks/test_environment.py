"""The rivals' environment is kept, and what hinders its making is told; making it is tested where it is used."""

import sys
from pathlib import Path

import pytest

from benchmarks import environment
from db3kd.errors import PlanError


def test_an_environment_that_cannot_be_made_is_refused_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho no network here >&2\nexit 1\n")
    python.chmod(0o755)
    monkeypatch.setenv("DB3KD_DATA", str(tmp_path / "cache"))
    monkeypatch.setattr(sys, "executable", str(python))

    with pytest.raises(PlanError, match=r"foolbox==.*nothing was measured(?s:.)*no network here"):
        environment.rivals_python()

    assert list((tmp_path / "cache" / "rivals").iterdir()) == []


def test_an_environment_that_is_there_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DB3KD_DATA", str(tmp_path))
    made: list[Path] = []

    def make(folder: Path) -> None:
        made.append(folder)
        (folder / "bin").mkdir(parents=True)
        (folder / "bin" / "python").touch()

    monkeypatch.setattr(environment, "_make", make)

    python = environment.rivals_python()

    assert python.is_relative_to(tmp_path / "rivals")
    assert python.exists()
    assert environment.rivals_python() == python
    assert len(made) == 1
    assert list((tmp_path / "rivals").iterdir()) == [python.parents[1]]
