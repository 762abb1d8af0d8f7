"""What a method without data reaches: every call counted, the test images booked apart."""

from pathlib import Path

import torch

from db3kd.bench.zero_shot import measure_zero_shot
from db3kd.data import from_arrays
from db3kd.runs import Run
from known_teachers import Counting, Sectors

STUDENT = "made_networks:two_layers"


def test_calls_are_those_that_reached_the_teacher_and_the_test_is_apart(tmp_path: Path) -> None:
    counting = Counting(Sectors(shape=(1, 8, 8), classes=3))
    images = torch.rand(50, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    held_out = from_arrays(images, counting.teacher(images), name="some")
    with Run(tmp_path) as run:
        figures = [
            measure_zero_shot(run, counting, held_out, calls=150, method="priors", students=(STUDENT,), epochs=1)
            for _ in range(2)
        ]
        assert run.statement().held_out == {"held-out": 50}
    assert counting.rows == 150 + 50
    assert figures[0].students == figures[1].students
    assert figures[0].calls == sum(figures[0].class_histogram) == 150
    assert 140 <= figures[0].unique_images <= 150
    # The labels are the teacher's own answers.
    assert figures[0].students[0].accuracy == figures[0].students[0].agreement
    assert figures[0].peak_memory_bytes > 2**24
