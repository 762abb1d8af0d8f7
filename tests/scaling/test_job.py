"""What a training in another process is asked for begins anew by default, and finds the modules of the user."""

import importlib
import sys
from pathlib import Path

import pytest

from db3kd.scaling import Job
from db3kd.scaling.job import import_from


def test_a_job_begins_where_no_state_says_otherwise() -> None:
    assert Job("lenet5", 10, 3).state is None


def test_modules_are_found_where_who_asks_finds_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", ["there", "also there"])
    import_from(["first", "there", "second"])
    assert sys.path == ["first", "second", "there", "also there"]
    import_from(["first"])
    assert sys.path == ["first", "second", "there", "also there"]
    (tmp_path / "network_of_a_user.py").write_text("WIDTH = 7\n")
    import_from([str(tmp_path)])
    assert importlib.import_module("network_of_a_user").WIDTH == 7
    monkeypatch.delitem(sys.modules, "network_of_a_user")
