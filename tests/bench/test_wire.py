"""The bench of the wire measures both ways, and the server's counters tell where the time went."""

import json
from pathlib import Path

import pytest

from command_line import Caller
from db3kd.bench import wire
from db3kd.models import build, weights


def test_it_measures_both_ways(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "_SECONDS", 0.2)
    file = tmp_path / "weights.safetensors"
    module = build("lenet5-fifth", (1, 16, 16), 4)
    file.write_bytes(weights.to_bytes(module, weights.describe("lenet5-fifth", (1, 16, 16), 4)))
    figures = tmp_path / "wire.json"
    asked = ("bench", "wire", "--teacher", f"torch:{file}", "--sizes", "4,64", "--json", figures)
    assert "over the wire" in Caller(capsys)(*asked).out
    measured = json.loads(figures.read_text())["figures"]
    assert [figure["rows"] for figure in measured] == [4, 64]
    for figure in measured:
        assert figure["in_process"] > 0
        assert figure["over_the_wire"] > 0
        assert 0 < figure["teacher_share"] <= figure["server_share"] <= 2.01
