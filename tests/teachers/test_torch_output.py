"""Scores or classes are found in whatever a module returns, and what is neither is told with a way out."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from db3kd.errors import InvalidDecision
from db3kd.teachers.torch_output import classes_of
from db3kd.tensors import Tensor

CLASSES = 5
SCORES = torch.randn(50, CLASSES, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    "change",
    [
        lambda scores: scores[:, None],
        lambda scores: scores[:, :, None, None],
        lambda scores: (scores, torch.zeros(3)),
        lambda scores: (torch.zeros(len(scores), 64), scores),
        lambda scores: (scores, -scores),
        lambda scores: [scores],
        lambda scores: {"logits": scores, "features": torch.zeros(len(scores), CLASSES)},
        lambda scores: {"out": scores, "loss": None},
        lambda scores: SimpleNamespace(logits=scores, hidden=None),
        lambda scores: scores.argmax(1),
        lambda scores: scores.argmax(1, keepdim=True).int(),
        lambda scores: {"class": scores.argmax(1)},
        lambda scores: scores.double(),
        lambda scores: scores.softmax(1).half(),
    ],
)
def test_scores_or_classes_are_found_in_whatever_a_module_returns(change: Callable[[Tensor], Any]) -> None:
    assert torch.equal(classes_of(change(SCORES), 50, CLASSES), SCORES.argmax(1))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda scores: scores[:, :3], r"scores \[1, 5\].*float32 \[1, 3\].*num_classes=3"),
        (lambda scores: (9 * scores).int(), r"int32 \[1, 5\].*floating-point numbers: return them with .float\(\)"),
        (lambda scores: scores[:, :1], r"\[1\].*no class: compare it with a threshold"),
        (lambda scores: scores[:, 0], "threshold"),
        (lambda scores: scores[:, 0].sigmoid(), "threshold"),
        (lambda scores: scores.squeeze(), r"\[5\].*drops the axis of the images"),
        (lambda scores: {"a": scores, "b": scores}, r"a: torch.float32 \[1, 5\], b: .*returns the scores alone"),
        (lambda scores: scores[None].expand(2, -1, -1), "wrap the module"),
        (lambda scores: torch.zeros(1, 5, 7, 7), "wrap the module"),
        (lambda scores: torch.zeros(1, 5, dtype=torch.complex64), "complex64"),
        (lambda scores: None, "got NoneType"),
        (lambda scores: {"loss": 1.0}, "got dict"),
        (lambda scores: "cat", "got str"),
        (lambda scores: (), "got tuple"),
    ],
)
def test_another_answer_says_what_came_and_what_to_do(change: Callable[[Tensor], Any], told: str) -> None:
    with pytest.raises(InvalidDecision, match=told):
        classes_of(change(SCORES[:1]), 1, CLASSES)


def test_logits_go_before_whatever_else_has_their_shape() -> None:
    answer = {"features": -SCORES, "logits": SCORES}
    assert torch.equal(classes_of(answer, 50, CLASSES), SCORES.argmax(1))
    assert torch.equal(classes_of((SCORES, -SCORES), 50, CLASSES), SCORES.argmax(1))


def test_classes_are_whole_numbers_of_64_bits() -> None:
    assert classes_of(SCORES.argmax(1).to(torch.uint8), 50, CLASSES).dtype == torch.int64


def test_scores_of_one_row_keep_their_axis() -> None:
    assert classes_of(SCORES[:1, :, None, None], 1, CLASSES).tolist() == [int(SCORES[0].argmax())]


def test_rows_without_a_finite_score_are_named() -> None:
    with pytest.raises(InvalidDecision, match="scores from the module") as caught:
        classes_of({"logits": torch.tensor([[0.0, 1.0], [torch.nan, 0.0]])}, 2, 2)
    assert caught.value.rows == (1,)
