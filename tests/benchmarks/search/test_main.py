"""The program writes its file and prints its table; what cannot be measured is refused before it is."""

import json
from pathlib import Path

import pytest
import torch

from benchmark_program import Program
from benchmarks.search import BenchSettings, SearchBench, __main__, measure_searches
from benchmarks.search.__main__ import search
from db3kd.data import Dataset


def test_it_writes_the_figures_and_prints_the_table(
    call: Program, images: str, teacher: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def measure_little(module: torch.nn.Module, dataset: Dataset, **options: object) -> SearchBench:
        settings = options.pop("settings")
        assert isinstance(settings, BenchSettings)
        assert (settings.pairs, settings.seed) == (6, 3)
        assert settings.committee is not None
        assert (settings.committee.members, settings.committee.architecture) == (2, "lenet5-half")
        little = BenchSettings(
            pairs=6, seed=3, exemplars=(1,), sign_opt_queries=(20,), guided_queries=(), speed_rows=1, bare_seconds=0.001
        )
        return measure_searches(module, dataset, settings=little, **options)  # type: ignore[arg-type]  # as they came

    monkeypatch.setattr(__main__, "measure_searches", measure_little)
    file = tmp_path / "figures.json"
    committee = ("--committee", 2, "--committee-architecture", "lenet5-half")
    asked = ("--teacher", teacher, "--images", images, "--pairs", 6, "--seed", 3, *committee, "--json", file)

    done = call(search, *asked)

    figures = json.loads(file.read_text())
    assert figures["pairs"] == 6
    assert figures["teacher"] == teacher
    assert [entry["name"] for entry in figures["searches"]] == ["sd", "bd", "bd", "mbd"]
    assert "queries=20" in done.out
    assert "white-box minimum" in done.out
    assert "bd, exemplars=1, order=nearest: measured" in done.err


def test_what_cannot_be_measured_is_refused_at_once(
    call: Program, images: str, teacher: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(__main__, "measure_searches")
    file = tmp_path / "missing" / "figures.json"
    asked = ("--images", images, "--teacher")
    assert "no folder" in call(search, *asked, teacher, "--json", file, expect=2).err
    assert "give both" in call(search, *asked, teacher, "--rival-pairs", 2, expect=2).err
    assert "needs the network itself" in call(search, *asked, "python:a:b", expect=2).err
    other = teacher.replace("torch:", "torch:lenet5-half@")
    assert "lenet5-half" in call(search, *asked, other, expect=2).err
