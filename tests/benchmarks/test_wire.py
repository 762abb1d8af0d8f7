"""The measurement of the wire goes both ways, and the server's counters say where the time went."""

import json
from pathlib import Path

import pytest

from benchmark_program import Program
from benchmarks import wire


@pytest.mark.slow
def test_it_measures_both_ways(call: Program, teacher: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "_SECONDS", 0.2)
    file = tmp_path / "wire.json"
    assert "over the wire" in call(wire.wire, "--teacher", teacher, "--sizes", "4,64", "--json", file).out
    measured = json.loads(file.read_text())["figures"]
    assert [figure["rows"] for figure in measured] == [4, 64]
    for figure in measured:
        assert figure["in_process"] > 0
        assert figure["over_the_wire"] > 0
        assert 0 < figure["teacher_share"] <= figure["server_share"] <= 2.01
