"""The measurements write their file and print their table; what cannot be measured is refused before it is."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import db3kd.cli.work.benches as work
from command_line import Caller
from db3kd.bench import BenchSettings, SearchBench, measure_searches
from db3kd.data import Dataset
from db3kd.models import build, weights


@pytest.fixture
def teacher(tmp_path: Path) -> str:
    file = tmp_path / "teacher.safetensors"
    header = weights.describe("lenet5-fifth", (1, 16, 16), 4)
    file.write_bytes(weights.to_bytes(build("lenet5-fifth", (1, 16, 16), 4), header))
    return f"torch:{file}"


def test_search_writes_the_figures_and_prints_the_table(
    call: Caller, images: str, teacher: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def measure_little(module: torch.nn.Module, dataset: Dataset, **options: object) -> SearchBench:
        settings = options.pop("settings")
        assert isinstance(settings, BenchSettings)
        assert (settings.pairs, settings.seed) == (6, 3)
        little = BenchSettings(
            pairs=6, seed=3, exemplars=(1,), sign_opt_queries=(20,), guided_queries=(), speed_rows=1, bare_seconds=0.001
        )
        return measure_searches(module, dataset, settings=little, **options)  # type: ignore[arg-type]  # as they came

    monkeypatch.setattr(work, "measure_searches", measure_little)
    file = tmp_path / "figures.json"

    done = call("bench", "search", "--teacher", teacher, "--images", images, "--pairs", 6, "--seed", 3, "--json", file)

    figures = json.loads(file.read_text())
    assert figures["pairs"] == 6
    assert figures["teacher"] == teacher
    assert [entry["name"] for entry in figures["searches"]] == ["sd", "bd", "bd", "mbd"]
    assert "queries=20" in done.out
    assert "white-box minimum" in done.out
    assert "bd, exemplars=1, order=nearest: measured" in done.err


def test_zero_shot_writes_what_was_measured_and_on_what(call: Caller, tmp_path: Path) -> None:
    student, shape = "made_networks:one_layer", (1, 8, 8)
    weights_file, test, file = tmp_path / "teacher.safetensors", tmp_path / "test.npz", tmp_path / "figures.json"
    network = build(student, shape, 3)
    weights_file.write_bytes(weights.to_bytes(network, weights.describe(student, shape, 3)))
    pixels = torch.randint(256, (20, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    np.savez(test, images_test=pixels.numpy())
    measure = (
        "bench",
        "zero-shot",
        "--teacher",
        f"torch:{weights_file}",
        "--test",
        f"npz:{test}",
        "--method",
        "priors",
    )

    done = call(*measure, "--calls", 60, "--students", student, "--epochs", 2, "--seed", 3, "--json", file)

    figures = json.loads(file.read_text())
    about = {"teacher": f"torch:{weights_file}", "method": "priors", "seed": 3, "epochs": 2, "device": "cpu"}
    assert {name: figures[name] for name in about} == about
    assert (figures["calls"], figures["format"]) == (60, 1)
    assert [one["name"] for one in figures["students"]] == [student]
    never = [label for label, count in enumerate(figures["class_histogram"]) if not count]
    assert figures["never_decided"] == never
    assert ("they do not know it" in done.err) == bool(never)
    assert "60 calls, no image" in done.out


def test_what_cannot_be_measured_is_refused_at_once(
    call: Caller, images: str, teacher: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(work, "measure_searches")
    search = ("bench", "search", "--images", images)
    file = tmp_path / "missing" / "figures.json"
    assert "no folder" in call(*search, "--teacher", teacher, "--json", file, expect=2).err
    assert "give both" in call(*search, "--teacher", teacher, "--rival-pairs", 2, expect=2).err
    assert "needs the network itself" in call(*search, "--teacher", "python:a:b", expect=2).err
    assert "lenet5-half" in call(*search, "--teacher", teacher.replace("torch:", "torch:lenet5-half@"), expect=2).err
