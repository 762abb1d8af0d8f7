"""What a method without data reaches: every call counted, the test images booked outside the budget."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from benchmarks.zero_shot import (
    ZeroShot,
    ZeroShotMethod,
    ZeroShotPlan,
    measure_zero_shot,
)
from db3kd.data import Dataset, from_arrays
from db3kd.errors import InputError
from db3kd.runs import Keeper, Run
from db3kd.training import Recipe
from known_teachers import Counting, Failing, Sectors

STUDENT = "made_networks:two_layers"
PLAN = ZeroShotPlan("priors", 150, (STUDENT, "made_networks:one_layer"), epochs=1)


@pytest.fixture(autouse=True)
def _brief_committees(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the committees learn is not looked at here."""
    brief = Recipe("adam", 1e-3, epochs=2, batch_size=64)
    for recipe in ("teaching_recipe", "choosing_recipe"):
        monkeypatch.setattr(f"db3kd.training.committee.{recipe}", lambda _: brief)


def teacher_and_test(count: int) -> tuple[Counting, Dataset]:
    """A teacher that counts, and images with its own answers for labels."""
    counting = Counting(Sectors(shape=(1, 8, 8), classes=3))
    images = torch.rand(count, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    return counting, from_arrays(images, counting.teacher(images), name="some")


def test_calls_are_those_that_reached_the_teacher_without_the_test_images(tmp_path: Path) -> None:
    counting, held_out = teacher_and_test(50)
    with Run(tmp_path) as run:
        figures = [measure_zero_shot(Keeper(run), counting, held_out, PLAN) for _ in range(2)]
        assert run.statement().held_out == {"held-out": 50}
    assert counting.rows == 150 + 50
    assert figures[0].students == figures[1].students
    assert tuple(student.name for student in figures[0].students) == PLAN.students
    assert figures[0].calls == sum(figures[0].class_histogram) == 150
    assert 140 <= figures[0].unique_images <= 150
    # The labels are the teacher's own answers.
    assert figures[0].students[0].accuracy == figures[0].students[0].agreement
    assert figures[0].peak_memory_bytes > 2**24


@pytest.mark.slow
@pytest.mark.parametrize("method", ["active", "priors", "noise", "dip-kd", "repulsion", "repulsion-guided"])
def test_each_method_spends_as_many_calls_and_goes_on_after_an_interruption(
    tmp_path: Path, method: ZeroShotMethod
) -> None:
    counting, held_out = teacher_and_test(40)
    plan = ZeroShotPlan(method, 900, (STUDENT,), epochs=1)

    def go(run: Run, teacher: Counting | Failing) -> ZeroShot:
        return measure_zero_shot(Keeper(run), teacher, held_out, plan)

    with Run(tmp_path) as run:
        with pytest.raises(KeyboardInterrupt):
            go(run, Failing(counting, 4, KeyboardInterrupt))
        assert 0 < counting.rows < 900
        figures = go(run, counting)
        assert run.statement().held_out == {"held-out": 40}
    assert figures.method == method
    assert counting.rows == 900 + 40
    # The call that failed was charged, since it may have been served.
    assert 900 < figures.calls <= 900 + 128
    # What a search asked on its way is no image to learn from.
    learned = sum(figures.class_histogram)
    assert 100 < learned < 700 if "repulsion" in method else learned == 900
    assert figures.unique_images <= learned
    with Run(tmp_path) as run:
        assert go(run, counting).students == figures.students
    assert counting.rows == 900 + 40


def test_too_few_calls_to_push_are_refused_before_the_first(tmp_path: Path) -> None:
    counting, held_out = teacher_and_test(5)
    plan = replace(PLAN, method="repulsion", calls=300)
    with Run(tmp_path) as run, pytest.raises(InputError, match="allow more"):
        measure_zero_shot(Keeper(run), counting, held_out, plan)
    assert counting.rows == 0
