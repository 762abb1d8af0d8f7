"""A network must give floating point logits, one for each class and image."""

from collections.abc import Callable

import pytest
from torch import nn

from db3kd.errors import PlanError
from db3kd.models.logits import check_logits
from db3kd.tensors import Tensor

SHAPE = (2, 3, 4)


class _Saying(nn.Module):
    """Gives what a function makes of images, and keeps them."""

    def __init__(self, answer: Callable[[Tensor], object]) -> None:
        super().__init__()
        self.answer, self.seen = answer, list[Tensor]()

    def forward(self, images: Tensor) -> object:
        self.seen.append(images)
        return self.answer(images)


def test_logits_pass_after_two_images_without_a_gradient() -> None:
    network = _Saying(lambda images: images.flatten(1)[:, :5])
    check_logits(network, "mine", SHAPE, 5)
    (images,) = network.seen
    assert images.shape == (2, *SHAPE)
    assert images.is_inference()


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (lambda images: images.flatten(1)[:, :4], r"\[2, 4\]"),
        (lambda images: images.flatten(1)[:1, :5], r"\[1, 5\]"),
        (lambda images: images.flatten(1)[:, :5].long(), r"\[2, 5\]"),
        (lambda images: (images.flatten(1)[:, :5],), "tuple"),
    ],
    ids=["four of five", "one image", "whole numbers", "a tuple"],
)
def test_anything_else_is_refused(answer: Callable[[Tensor], object], found: str) -> None:
    with pytest.raises(PlanError, match=f"network of 'mine' must give 5 logits for each image, got {found} for 2"):
        check_logits(_Saying(answer), "mine", SHAPE, 5)


def test_what_a_network_raises_passes_through() -> None:
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        check_logits(nn.Linear(7, 5), "mine", SHAPE, 5)
