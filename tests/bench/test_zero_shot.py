"""What a method without data reaches: every call counted, the test images booked apart."""

from pathlib import Path

import pytest
import torch

from db3kd.bench.dip_kd import draw_priors, spread
from db3kd.bench.zero_shot import ZeroShot, ZeroShotMethod, measure_zero_shot
from db3kd.data import from_arrays
from db3kd.errors import InputError
from db3kd.runs import Run
from known_teachers import Counting, Failing, Sectors
from made_networks import two_layers

STUDENT = "made_networks:two_layers"
STUDENTS = (STUDENT, "made_networks:one_layer")


def test_calls_are_those_that_reached_the_teacher_and_the_test_is_apart(tmp_path: Path) -> None:
    counting = Counting(Sectors(shape=(1, 8, 8), classes=3))
    images = torch.rand(50, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    held_out = from_arrays(images, counting.teacher(images), name="some")
    with Run(tmp_path) as run:
        figures = [
            measure_zero_shot(run, counting, held_out, calls=150, method="priors", students=STUDENTS, epochs=1)
            for _ in range(2)
        ]
        assert run.statement().held_out == {"held-out": 50}
    assert counting.rows == 150 + 50
    assert figures[0].students == figures[1].students
    assert tuple(student.name for student in figures[0].students) == STUDENTS
    assert figures[0].calls == sum(figures[0].class_histogram) == 150
    assert 140 <= figures[0].unique_images <= 150
    # The labels are the teacher's own answers.
    assert figures[0].students[0].accuracy == figures[0].students[0].agreement
    assert figures[0].peak_memory_bytes > 2**24


@pytest.mark.parametrize("method", ["active", "priors", "noise", "dip-kd", "repulsion", "repulsion-guided"])
def test_each_method_spends_as_many_calls_and_goes_on_after_an_interruption(
    tmp_path: Path, method: ZeroShotMethod
) -> None:
    counting = Counting(Sectors(shape=(1, 8, 8), classes=3))
    images = torch.rand(40, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    held_out = from_arrays(images, counting.teacher(images), name="some")

    def go(run: Run, teacher: Counting | Failing) -> ZeroShot:
        return measure_zero_shot(run, teacher, held_out, calls=900, method=method, students=(STUDENT,), epochs=1)

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
    learnt = sum(figures.class_histogram)
    assert 100 < learnt < 700 if "repulsion" in method else learnt == 900
    assert figures.unique_images <= learnt
    with Run(tmp_path) as run:
        assert go(run, counting).students == figures.students
    assert counting.rows == 900 + 40


def test_too_few_calls_to_push_are_refused_before_the_first(tmp_path: Path) -> None:
    counting = Counting(Sectors(shape=(1, 8, 8), classes=3))
    held_out = from_arrays(torch.rand(5, 1, 8, 8), name="some")
    with Run(tmp_path) as run, pytest.raises(InputError, match="allow more"):
        measure_zero_shot(run, counting, held_out, calls=300, method="repulsion", students=(STUDENT,))
    assert counting.rows == 0


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 9, 12)])
def test_spreading_sets_images_apart_in_the_eyes_of_a_primer(shape: tuple[int, int, int]) -> None:
    def crowding(pixels: torch.Tensor) -> float:
        flatten, first, bend, _ = primer.children()
        features = torch.nn.functional.normalize(bend(first(flatten(pixels.float() / 255))), dim=1)
        return float((features @ features.T).detach().mean())

    generator = torch.Generator().manual_seed(0)
    primer = two_layers(input_shape=shape, num_classes=3)
    begun = draw_priors(300, shape, generator)
    apart = spread(primer, begun, generator)
    assert begun.shape == apart.shape == (300, *shape)
    assert crowding(apart) < 0.95 * crowding(begun)
