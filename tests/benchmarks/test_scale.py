"""The measurement of replicas answers every row, alone and spread."""

import json
from pathlib import Path

import pytest

from benchmark_program import Program
from benchmarks import scale

pytest.importorskip("ray")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::ResourceWarning")]


def test_two_replicas_answer_more_than_one(call: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scale, "_SEARCHED", 16)
    monkeypatch.setattr(scale, "_LEARNED", 500)
    file = tmp_path / "scale.json"
    asked = ("--replicas", "1,2", "--rows-each", 320, "--fast-rows", 500, "--json", file)
    assert "in this process" in call(scale.scale, *asked).out
    found = json.loads(file.read_text())
    assert [one["replicas"] for one in found["figures"]] == [0, 1, 2]
    alone, one, two = (figure["deciding"] for figure in found["figures"])
    assert max(alone, one) <= found["ideal"] == 640
    assert two > one
    assert found["fast_replica"] > 0
    assert min(found["one_after_another"], found["side_by_side"]) > 0
