"""Children have parents of all classes alike, never one that is set aside."""

from dataclasses import replace

import pytest
import torch

from db3kd.answers import Answers, Candidates
from db3kd.data import from_arrays
from db3kd.pools.priors.children import parenthood, recombined
from db3kd.tensors import Tensor
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


@pytest.mark.parametrize(
    ("shape", "parts"), [((1, 16, 16), [4096, 4]), ((1, 28, 28), [4096, 4]), ((3, 64, 64), [261, 261, 78])]
)
def test_children_are_made_in_parts_that_are_smaller_where_images_are_larger(
    monkeypatch: pytest.MonkeyPatch, shape: tuple[int, int, int], parts: list[int]
) -> None:
    made = []

    def noting(images: Tensor, *rest: object, **options: object) -> Tensor:
        made.append(len(images))
        return images

    monkeypatch.setattr("db3kd.pools.priors.children.warp", noting)
    images = from_arrays(torch.rand(8, *shape, generator=seeded()))
    answers = Answers(images, torch.arange(8) % 4, ("shapes",) * 8, 4, torch.zeros(8).bool())
    children = recombined(answers, sum(parts), seeded())
    assert children.pixels.shape == (sum(parts), *shape)
    # A second parent and each child are warped.
    assert made == [size for size in parts for _ in range(2)]
