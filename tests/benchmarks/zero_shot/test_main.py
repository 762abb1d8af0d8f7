"""The program writes what was measured, and on what."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from benchmark_program import Program
from benchmarks.zero_shot.__main__ import zero_shot
from db3kd.models import build, weights


@pytest.mark.slow
def test_it_writes_what_was_measured_and_on_what(call: Program, tmp_path: Path) -> None:
    student, shape = "made_networks:one_layer", (1, 8, 8)
    weights_file, test, file = tmp_path / "teacher.safetensors", tmp_path / "test.npz", tmp_path / "figures.json"
    network = build(student, shape, 3)
    weights_file.write_bytes(weights.to_bytes(network, weights.describe(student, shape, 3)))
    pixels = torch.randint(256, (20, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    np.savez(test, images_test=pixels.numpy())
    on = ("--teacher", f"torch:{weights_file}", "--test", f"npz:{test}", "--method", "priors")

    small = ("--calls", 60, "--students", student, "--epochs", 2, "--seed", 3, "--json", file)
    done = call(zero_shot, *on, *small)

    figures = json.loads(file.read_text())
    about = {"teacher": f"torch:{weights_file}", "method": "priors", "seed": 3, "epochs": 2, "device": "cpu"}
    assert {name: figures[name] for name in about} == about
    assert (figures["calls"], figures["families"], figures["format"]) == (60, "procedural", 4)
    assert [one["name"] for one in figures["students"]] == [student]
    never = [label for label, count in enumerate(figures["class_histogram"]) if not count]
    assert figures["never_decided"] == never
    assert ("they do not know it" in done.err) == bool(never)
    assert "60 calls, no image" in done.out

    for number in range(9):
        Image.fromarray(pixels[number].numpy()).resize((20, 14)).save(tmp_path / f"{number}.png")
    call(zero_shot, *on, *small, "--pictures", tmp_path)
    assert json.loads(file.read_text())["pictures"] == f"{tmp_path.name}/train"
    assert "leave --pictures out" in call(zero_shot, *on[:4], "--method", "noise", "--pictures", tmp_path, expect=2).err
