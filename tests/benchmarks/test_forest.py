"""The forest's digits and the forest itself, as the frontier takes them."""

from pathlib import Path

from benchmark_program import Program
from benchmarks import command
from benchmarks.forest import forest
from db3kd.data import load
from db3kd.models import build, parameter_count


def test_the_forest_knows_its_pool_and_most_of_what_it_never_saw(call: Program, tmp_path: Path) -> None:
    out = tmp_path / "digits8.npz"
    said = call(forest, "--out", out).out
    pool, test = (load(f"npz:{out}", split) for split in ("train", "test"))
    assert (len(pool), len(test), pool.image_shape) == (1400, 397, (1, 8, 8))
    assert pool.labels is not None
    assert test.labels is not None
    teacher = command.teacher_of("python:benchmarks.forest:FOREST")
    assert bool((teacher(pool.images()) == pool.labels).all())
    right = (teacher(test.images()) == test.labels).double().mean().item()
    assert 0.9 < right < 0.97
    assert command.percent(right) in said
    assert parameter_count(build("benchmarks.forest:small", teacher.spec.input_shape, 10)) == 38_282
