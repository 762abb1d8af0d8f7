"""An answer that is no class is never a class, and only what was declared is let through."""

import numpy as np
import numpy.typing as npt
import pytest
import torch

from db3kd.errors import InvalidDecision, PlanError
from db3kd.ledger import Ledger
from db3kd.oracle import Oracle
from db3kd.teachers import AbstainingTeacher, FunctionTeacher, Teacher
from known_teachers import Sectors

SHAPE = (1, 16, 16)
KNOWN = Sectors(SHAPE, classes=4)
IMAGES = torch.rand(24, *SHAPE, generator=torch.Generator().manual_seed(0))


def _unsure(images: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
    """Ten says nothing: where the picture is bright on the left."""
    decisions = KNOWN(torch.from_numpy(images)).numpy()
    answers: npt.NDArray[np.int64] = np.where(images[..., :8].mean((1, 2, 3)) > 0.5, 10, decisions)
    return answers


def _teacher() -> Teacher:
    inside = FunctionTeacher(_unsure, input_shape=SHAPE, num_classes=4, max_batch=64)
    return AbstainingTeacher(inside, (10, -1))


def test_only_what_was_declared_is_let_through() -> None:
    undeclared = AbstainingTeacher(FunctionTeacher(_unsure, input_shape=SHAPE, num_classes=4), (11,))
    with Ledger(None) as ledger, ledger.account("label") as account:
        with pytest.raises(InvalidDecision, match="got 10"):
            Oracle(undeclared, account)(IMAGES)
        decisions = Oracle(_teacher(), account)(IMAGES)
    assert torch.equal(decisions == 4, torch.from_numpy(_unsure(IMAGES.numpy())) == 10)
    assert _teacher().spec.fingerprint != undeclared.spec.fingerprint


@pytest.mark.parametrize("abstentions", [(), (0,), (3, 10)])
def test_a_class_is_no_abstention(abstentions: tuple[int, ...]) -> None:
    with pytest.raises(PlanError, match="num_classes"):
        AbstainingTeacher(KNOWN, abstentions)
