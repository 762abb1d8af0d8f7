"""Children have parents of all classes alike, never one that is set aside."""

from dataclasses import replace

import torch

from db3kd.answers import Candidates
from db3kd.pools.priors.children import parenthood, recombined
from made_answers import NONE, SHAPE, add, answered, seeded


def test_children_have_parents_of_all_classes_alike() -> None:
    # One answer of a hundred is of class 1, and half of the children look like it.
    pixels = torch.zeros(100, *SHAPE, dtype=torch.uint8)
    pixels[0] = 255
    decisions = torch.zeros(100, dtype=torch.int64)
    decisions[0] = 1
    answers = add(NONE, Candidates(pixels, ("shapes",) * 100), decisions)
    children = recombined(answers, 400, seeded()).images()
    assert 0.3 < (children.mean(dim=(1, 2, 3)) > 0.3).float().mean() < 0.75


def test_what_is_set_aside_or_undecided_is_no_parent() -> None:
    answers = answered()
    undecided = torch.arange(len(answers)) % 7 == 0
    answers = replace(answers, decisions=answers.decisions.masked_fill(undecided, 4))
    weights = parenthood(answers)
    assert torch.equal(weights > 0, ~answers.aside & ~undecided)
    by_class = torch.zeros(5).index_add_(0, answers.decisions, weights)
    present = torch.bincount(answers.decisions, minlength=5)[:4] > 0
    assert torch.allclose(by_class[:4], present.float(), atol=1e-4)


def test_a_child_is_of_its_mothers_family() -> None:
    answers = add(answered(), recombined(answered(), 60, seeded()))
    children = recombined(answers, 60, seeded(1))
    families = {origin for origin in answers.origins if "/" not in origin}
    assert all(origin.removeprefix("recombined/") in families for origin in children.origins)
