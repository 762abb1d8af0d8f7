"""Students are measured on held-out images that the teacher gave a class, at no cost to the budget."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from db3kd.pipeline.held_out import Measurer, measurer_of
from db3kd.report.figures import StudentFigures
from db3kd.runs import Run
from known_networks import Reader, answers_to, readable
from made_runs import Small, dataset, images, keeper_of, story

PLAIN = StudentFigures(name="own", queries=5)


def test_without_held_out_images_only_the_size_is_known(tmp_path: Path) -> None:
    with Run(tmp_path) as run:
        measurer = measurer_of(story(Small()), keeper_of(run))
    assert measurer.teacher_accuracy is None
    assert measurer(PLAIN, Reader()) == PLAIN.model_copy(update={"parameters": 7})


def test_accuracy_is_by_labels_and_agreement_by_decisions() -> None:
    held_out = readable([0, 1, 2, 0], labels=[0, 1, 0, 1])
    measurer = Measurer(answers_to(held_out, [0, 1, 2, 1]), "cpu")
    found = measurer(PLAIN, Reader())
    assert (found.name, found.queries, found.parameters) == ("own", 5, 7)
    assert (found.accuracy, found.agreement) == (0.5, 0.75)
    assert measurer.teacher_accuracy == 0.75


def test_without_labels_only_the_agreement_is_known() -> None:
    measurer = Measurer(answers_to(readable([0, 1, 2, 0]), [0, 1, 2, 1]), "cpu")
    found = measurer(PLAIN, Reader())
    assert (found.accuracy, found.agreement) == (None, 0.75)
    assert measurer.teacher_accuracy is None


@pytest.mark.parametrize("silent_on", [0, 2])
def test_images_that_are_given_no_class_are_left_out_and_none_are_charged(tmp_path: Path, silent_on: int) -> None:
    pixels = images(6, seed=9).images()
    pixels[:, 0, 0, 0] = torch.where(torch.arange(6) < silent_on, 1.0, 0.0)
    teacher = Small(abstains=True)
    with Run(tmp_path) as run:
        described = replace(story(teacher), held_out=dataset(pixels, labelled=True))
        answers = measurer_of(described, keeper_of(run)).answers
        statement = run.statement()
        # Asked once, and kept.
        measurer_of(described, keeper_of(run))
    assert answers is not None
    assert torch.equal(answers.images.images(), pixels[silent_on:])
    assert bool(answers.decided.all())
    assert teacher.rows == 6
    assert (statement.total, statement.held_out) == (0, {"held-out": 6})
