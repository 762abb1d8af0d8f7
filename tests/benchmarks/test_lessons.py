"""The table of the frontier: every method beside its baselines, at what it cost."""

import json
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmark_program import Program
from benchmarks.lessons import LessonOptions, LessonRow, lessons, measure_lessons, read_bought
from db3kd.acquisition import Rounds
from db3kd.boundary import BoundaryDistance, GuidedDistance, Measurement, SampleDistance
from db3kd.data import Dataset, from_arrays
from db3kd.errors import InputError, RunError
from db3kd.models import build, weights
from db3kd.pipeline.budget import Budget
from db3kd.pipeline.story import Story, Student
from db3kd.pipeline.tell import buy
from db3kd.pools import ImagePool
from db3kd.runs import Keeper, Run
from db3kd.softening import Opinions
from db3kd.teachers import TorchTeacher
from db3kd.training import Committee, Recipe

CLASSES = 3
BRIEF = Recipe("adam", 1e-3, epochs=1, batch_size=16)
STUDENTS = (Student("lenet5-fifth", BRIEF),)


def _images(count: int, *, labelled: bool = True) -> Dataset:
    pixels = torch.rand(count, 1, 16, 16, generator=torch.Generator().manual_seed(count))
    labels = torch.arange(count) % CLASSES if labelled else None
    return from_arrays(pixels, labels, name=f"made{count}", class_names=("a", "b", "c"))


@pytest.fixture
def network() -> torch.nn.Module:
    return build("lenet5", (1, 16, 16), CLASSES, seed=3)


def _buy(folder: Path, network: torch.nn.Module, images: Dataset, measurement: Measurement) -> Path:
    teacher = TorchTeacher(network, input_shape=(1, 16, 16), num_classes=CLASSES)
    committee = Committee("lenet5-fifth", members=1, seen=600, recipe=BRIEF, mixtures_per_image=2.0, subspace=4)
    story = Story(
        teacher,
        ImagePool(images),
        rounds=Rounds.once(),
        committee=committee if measurement.method.guided else None,
        measurement=measurement,
        budget=Budget(repeats=0),
    )
    with Run(folder) as run:
        buy(story, Keeper(run))
    return folder


def _sd_and_bd(folder: Path, network: torch.nn.Module, images: Dataset) -> list[Path]:
    measurements = (Measurement(SampleDistance(), 0), Measurement(BoundaryDistance(2), 40))
    return [_buy(folder / one.method.name, network, images, one) for one in measurements]


def test_every_method_stands_beside_its_baselines_with_what_it_cost(tmp_path: Path, network: torch.nn.Module) -> None:
    bought = read_bought(_sd_and_bd(tmp_path, network, _images(24)))
    options = LessonOptions(seeds=(0, 1))
    with Run(tmp_path / "lessons") as run:
        table = measure_lessons(Keeper(run), bought, network, _images(30), STUDENTS, options=options)
        lines = run.lines()
        again = measure_lessons(Keeper(run), bought, network, _images(30), STUDENTS, options=options)
        assert run.lines() == lines, "a finished student was trained again"
        assert run.statement().total == 0
        assert run.statement().held_out == {"held-out": 30}
    assert again == table
    costs = {row.method: row.queries_per_image for row in table.rows}
    baselines = ["true-labels", "hard-decisions", "smoothed-decisions", "logits"]
    assert list(costs) == [*baselines, "sd", "bd", "sd-proportional", "bd-proportional"]
    assert costs["true-labels"] == costs["logits"] == 0
    assert costs["hard-decisions"] == costs["sd"] == 1
    assert bought[1].distances is not None
    assert costs["bd"] == 1 + bought[1].distances.cost / 24
    assert all(len(row.accuracy_by_seed) == 2 and row.images == 24 for row in table.rows)
    for row in table.rows:
        assert row.accuracy_mean == pytest.approx(sum(row.accuracy_by_seed) / 2)


def test_a_committee_and_its_mixtures_have_rows_that_pay_for_no_distance(
    tmp_path: Path, network: torch.nn.Module
) -> None:
    folder = _buy(tmp_path / "guided", network, _images(24), Measurement(GuidedDistance(), 12))
    options = LessonOptions(seeds=(0,), softenings=(Opinions(),))
    with Run(tmp_path / "lessons") as run:
        table = measure_lessons(Keeper(run), read_bought([folder]), network, _images(30), STUDENTS, options=options)
    rows = {row.method: row for row in table.rows}
    assert list(rows)[-3:] == ["mixtures", "opinions", "opinions-and-mixtures"]
    for row in table.rows[-3:]:
        assert (row.queries_per_image, row.images) == (3, 24)


def test_methods_on_other_images_have_baselines_of_their_own(tmp_path: Path, network: torch.nn.Module) -> None:
    folders = [*_sd_and_bd(tmp_path / "few", network, _images(24))[:1]]
    folders += _sd_and_bd(tmp_path / "many", network, _images(40))[:1]
    options = LessonOptions(seeds=(0,))
    with Run(tmp_path / "lessons") as run:
        table = measure_lessons(Keeper(run), read_bought(folders), network, _images(30), STUDENTS, options=options)
    baselines = [(row.images, row.method) for row in table.rows if row.method in ("true-labels", "hard-decisions")]
    assert baselines == [(24, "true-labels"), (24, "hard-decisions"), (40, "true-labels"), (40, "hard-decisions")]
    assert all(row.accuracy_std is None for row in table.rows)


def test_an_unfinished_run_and_unlabelled_images_are_refused(tmp_path: Path, network: torch.nn.Module) -> None:
    with pytest.raises(RunError):
        read_bought([tmp_path / "nothing"])
    folders = _sd_and_bd(tmp_path, network, _images(24, labelled=False))
    with Run(tmp_path / "lessons") as run, pytest.raises(InputError, match="'made24' has none"):
        measure_lessons(
            Keeper(run), read_bought(folders), network, _images(30), STUDENTS, options=LessonOptions(seeds=(0,))
        )
    (folders[1] / "distances" / "00000.safetensors").unlink()
    with pytest.raises(InputError, match="has not finished distances"):
        read_bought(folders)


def test_the_program_writes_its_rows_and_refuses_what_it_cannot_compare(
    call: Program, tmp_path: Path, network: torch.nn.Module
) -> None:
    folder = _buy(tmp_path / "sd", network, _images(24), Measurement(SampleDistance(), 0))
    teacher, test, file = tmp_path / "teacher.safetensors", tmp_path / "test.npz", tmp_path / "figures.json"
    teacher.write_bytes(weights.to_bytes(network, weights.describe("lenet5", (1, 16, 16), CLASSES)))
    held_out = _images(30)
    assert held_out.labels is not None
    np.savez(test, images_test=held_out.pixels.numpy(), labels_test=held_out.labels.numpy())
    given = (
        "--teacher",
        f"torch:{teacher}",
        "--bought",
        folder,
        "--held-out",
        f"npz:{test}",
        "--run",
        tmp_path / "run",
    )
    small = ("--students", "lenet5-fifth", "--seeds", "0", "--epochs", 1, "--softenings", "inverse,proportional")

    printed = call(lessons, *given, *small, "--json", file)

    rows = json.loads(file.read_text())
    assert [row["method"] for row in rows[-2:]] == ["sd", "sd-proportional"]
    assert set(rows[0]) == {field.name for field in fields(LessonRow)}
    assert "the teacher itself" in printed.out
    assert "expected seeds" in call(lessons, *given, "--seeds", "0,x", expect=2).err
    assert "unknown" in call(lessons, *given, "--softenings", "hard", expect=2).err
