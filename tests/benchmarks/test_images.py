"""The measurement of images makes files, reads them twice and says how long it took."""

import json
from pathlib import Path

import pytest

from benchmark_program import Program
from benchmarks import images


def test_it_measures_a_small_folder(call: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("db3kd.data.pixel_rows.KEPT_FROM", 0)
    file = tmp_path / "images.json"
    options = ("--count", 40, "--distinct", 15, "--size", 16, "--side", 32, "--folder", tmp_path, "--json", file)
    assert "until the first question" in call(images.images, *options).out
    figures = json.loads(file.read_text())
    assert (figures["count"], figures["size"], figures["side"]) == (40, 16, 32)
    for name in ("file_bytes", "seconds_to_pool", "decoded_per_second", "seconds_again", "gathered_per_second"):
        assert figures[name] > 0
    assert figures["trained_per_second"] > 0
    assert figures["memory"]["own"] >= figures["memory_before"]["own"] > 0
    assert [path.name for path in tmp_path.iterdir()] == ["images.json"]
