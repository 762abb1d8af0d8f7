"""Pools as users have them: rare classes, missing classes, images of no class, copies, another kind of image.

A logistic regression on real digits is asked 200 to 400 times, and networks learn briefly. Whatever the pool, a student
must be better than the largest class, and the report must say what happened.
"""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

import db3kd
from db3kd.api import Result
from db3kd.data import Dataset, from_arrays, load
from db3kd.evaluation import predict
from db3kd.report.asking import asking_table
from db3kd.teachers import AbstainingTeacher, FunctionTeacher, Teacher
from db3kd.tensors import Bool, Int, Tensor
from db3kd.training import Committee, Recipe

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

BRIEF, SEEN = Committee("lenet5", members=2, choosers=2), 20_000
STUDENT = Recipe("adam", 2e-3, 4, 64, schedule="one-cycle", precision="bfloat16")


@cache
def _regression() -> LogisticRegression:
    images = load("mnist-5k")
    assert images.labels is not None
    return LogisticRegression(C=0.01, max_iter=200).fit(images.images().flatten(1).numpy(), images.labels.numpy())


def _teacher() -> Teacher:
    return FunctionTeacher(
        lambda images: _regression().predict(images.reshape(len(images), -1)), input_shape=(1, 28, 28), num_classes=10
    )


def _with_abstentions() -> Teacher:
    def decide(images: np.ndarray) -> np.ndarray:
        shares = _regression().predict_proba(images.reshape(len(images), -1))
        inked = images.reshape(len(images), -1).mean(axis=1)
        return np.where((inked > 0.05) & (inked < 0.25), shares.argmax(axis=1), -1)

    return AbstainingTeacher(FunctionTeacher(decide, input_shape=(1, 28, 28), num_classes=10), (-1,))


def _decided(images: Dataset) -> Int[Tensor, " n"]:
    return _teacher()(images.images())


def _distill(pool: Dataset, budget: int, teacher: Teacher | None = None, *, times: int = 1) -> Result:
    """Distil briefly, or so many times as long."""
    committee = replace(BRIEF, seen=times * SEEN)
    recipe = replace(STUDENT, epochs=times * STUDENT.epochs)
    return db3kd.distill(
        teacher or _teacher(), pool, student="lenet5-half", budget=budget, committee=committee, recipe=recipe
    )


def _agreement(result: Result, rows: Bool[Tensor, " n"] | None = None) -> float:
    test = load("mnist-5k", "test")
    decided = _decided(test)
    alike = predict(result.student, test) == decided
    return float((alike if rows is None else alike[rows]).to(torch.float32).mean())


def _where(pool: Dataset, wanted: Bool[Tensor, " n"]) -> Dataset:
    return pool.subset(wanted.nonzero()[:, 0])


def test_a_class_of_one_in_a_hundred_is_asked_about_and_learned() -> None:
    """Of a class that is rarer, the first rounds often meet no image, and whether later ones do is luck."""
    pool = load("mnist-5k")
    decided = _decided(pool)
    sevens = (decided == 7).nonzero()[:, 0]
    kept = decided != 7
    kept[sevens[:40]] = True
    # A class so rare takes longer to learn than the others.
    result = _distill(_where(pool, kept), 300, times=3)
    asked = int((result.answers.decisions == 7).sum())
    assert asked > 2 * 300 / 100, "a fair draw would hold three of them"
    assert _agreement(result) > 0.75
    assert _agreement(result, _decided(load("mnist-5k", "test")) == 7) > 0


def test_a_class_that_the_pool_never_shows_is_named_and_the_others_are_learned() -> None:
    pool = load("mnist-5k")
    decided = _decided(pool)
    result = _distill(_where(pool, (decided != 8) & (decided != 9)), 200)
    asking = result.report.asking
    assert asking is not None
    assert set(asking.never_decided) <= {8, 9}
    seen = _decided(load("mnist-5k", "test")) < 8
    assert _agreement(result, seen) > 0.8
    shown = {row[0]: row[-1] for row in asking_table(asking).rows}
    assert all("unknown" in shown[str(label)] for label in asking.never_decided)


def test_a_pool_that_is_mostly_of_no_class_teaches_what_it_has() -> None:
    digits = load("mnist-5k")
    generator = torch.Generator().manual_seed(0)
    noise = torch.randint(0, 256, (3000, 1, 28, 28), dtype=torch.uint8, generator=generator)
    pool = from_arrays(torch.cat([digits.pixels[::4], noise]))
    result = _distill(pool, 400, _with_abstentions())
    asking = result.report.asking
    assert asking is not None
    assert 0 < asking.abstained < 0.7 * asking.queries, "three of four images are of no class"
    assert _agreement(result) > 0.8


def test_copies_are_not_asked_about_again_and_again() -> None:
    digits = load("mnist-5k")
    generator = torch.Generator().manual_seed(0)
    copies = digits.pixels[::10].repeat(10, 1, 1, 1)
    copies = copies[torch.randperm(len(copies), generator=generator)]
    result = _distill(from_arrays(copies), 300)
    answers = result.answers
    pixels, learned = answers.images.pixels.flatten(1), ~answers.aside
    assert len(torch.unique(pixels[learned], dim=0)) > 0.95 * int(learned.sum())
    aside, times = torch.unique(pixels[answers.aside], dim=0, return_counts=True)
    # What is set aside more than once is frequent in a pool, and learned all the same.
    apart = int((times == 1).sum()) + len(torch.unique(pixels[learned], dim=0))
    both = torch.cat([aside[times == 1], pixels[learned]])
    assert len(torch.unique(both, dim=0)) == apart, "no copy of what is set aside once is learned from"
    assert _agreement(result) > 0.8


def test_images_of_another_kind_do_not_collapse_onto_one_class() -> None:
    digits = load("mnist-5k")
    strange = replace(digits, pixels=digits.pixels.flip(2), labels=None)
    result = _distill(strange, 400)
    largest = float(torch.bincount(_decided(load("mnist-5k", "test"))).max()) / 1000
    assert _agreement(result) > 2 * largest
    assert len(torch.unique(predict(result.student, load("mnist-5k", "test")))) >= 8
