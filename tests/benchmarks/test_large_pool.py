"""What a pool on disk takes is told step by step, and the file goes away."""

import json
from pathlib import Path

from benchmark_program import Program
from benchmarks.large_pool import large_pool


def test_each_size_has_its_figures(call: Program, tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    printed = call(large_pool, "--counts", "1200,900", "--folder", tmp_path, "--json", file)
    rows = json.loads(file.read_text())
    assert [row["count"] for row in rows] == [900, 1200]
    steps = ["open", "digest", "first questions", "order of an epoch", "choice of a round", "opinions"]
    for row in rows:
        assert list(row["seconds"]) == list(row["memory"]) == steps
        assert row["taught"] == row["count"]
        assert row["scored_per_second"] == 4 * row["count"] / row["seconds"]["opinions"]
        assert all(taken["own"] > 0 for taken in (row["memory_before"], *row["memory"].values()))
    assert "1,200" in printed.out
    assert [path.name for path in tmp_path.iterdir()] == ["figures.json"]
    assert "expected sizes above 300" in call(large_pool, "--counts", "1e6", expect=2).err
