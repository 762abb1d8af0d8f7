"""The loss in closed form, and objectives that say nothing."""

import math

import pytest
import torch
from torch import nn

from db3kd.errors import PlanError
from db3kd.training import Objective

ROWS = torch.tensor([2, 0])
LOGITS = torch.tensor([[0.0, math.log(3.0)], [0.0, 0.0]])


def test_labels_alone_give_the_mean_cross_entropy() -> None:
    loss = Objective(labels=torch.tensor([0, 0, 1])).loss(LOGITS, ROWS)
    assert loss.item() == pytest.approx((math.log(4 / 3) + math.log(2)) / 2)


def test_soft_labels_alone_give_the_divergence_times_the_temperature_squared() -> None:
    soft = torch.tensor([[1.0, 0.0], [0.5, 0.5], [0.25, 0.75]])
    loss = Objective(soft_labels=soft, temperature=2.0).loss(2 * LOGITS, ROWS)
    # At temperature 2 the answers are (1/4, 3/4), which is its soft label, and (1/2, 1/2) for a sure class.
    assert loss.item() == pytest.approx(4 * math.log(2) / 2)


def test_both_are_weighed() -> None:
    labels, soft = torch.tensor([0, 0, 1]), torch.full((3, 2), 0.5)
    hard = Objective(labels=labels).loss(LOGITS, ROWS)
    divergence = Objective(soft_labels=soft, temperature=3.0).loss(LOGITS, ROWS)
    both = Objective(labels, soft, temperature=3.0, hard_weight=0.3, soft_weight=0.5).loss(LOGITS, ROWS)
    assert both.item() == pytest.approx(0.3 * hard.item() + 0.5 * divergence.item())


def test_one_hot_soft_labels_at_temperature_one_are_hard_labels() -> None:
    labels = torch.tensor([0, 0, 1])
    soft = nn.functional.one_hot(labels).float()
    assert torch.allclose(Objective(soft_labels=soft).loss(LOGITS, ROWS), Objective(labels=labels).loss(LOGITS, ROWS))


def test_gradients_keep_their_size_at_any_temperature() -> None:
    soft = torch.tensor([[0.51, 0.49]])
    sizes = []
    for temperature in (10.0, 100.0):
        logits = torch.tensor([[0.3, -0.2]], requires_grad=True)
        Objective(soft_labels=(soft.log() * 10 / temperature).softmax(1), temperature=temperature).loss(
            logits, torch.tensor([0])
        ).backward()
        assert logits.grad is not None
        sizes.append(logits.grad.norm().item())
    assert sizes[0] == pytest.approx(sizes[1], rel=0.01)


def test_impossible_objectives_name_every_fault() -> None:
    with pytest.raises(PlanError, match=r"neither labels nor soft labels.*temperature.*nor both zero"):
        Objective(temperature=0.0)
    with pytest.raises(PlanError, match="sum to 1"):
        Objective(soft_labels=torch.tensor([[0.5, 0.4]]))
    with pytest.raises(PlanError, match="sum to 1"):
        Objective(soft_labels=torch.tensor([[0.5, math.nan]]))
    with pytest.raises(PlanError, match="nor both zero"):
        Objective(labels=torch.tensor([0]), hard_weight=0.0)
    with pytest.raises(PlanError, match="must not be negative"):
        Objective(torch.tensor([0]), torch.tensor([[1.0]]), soft_weight=-0.5)


def test_offsets_change_what_labels_ask_for_and_not_what_soft_labels_do() -> None:
    offsets = torch.tensor([0.9, 0.1]).log()
    labels, rows = torch.tensor([0, 1]), torch.arange(2)
    scores = torch.zeros(2, 2)
    # A network that says nothing is right about a class as often as the class is there.
    loss = Objective(labels=labels, offsets=offsets).loss(scores, rows)
    assert loss.item() == pytest.approx(-(math.log(0.9) + math.log(0.1)) / 2, rel=1e-5)
    soft = torch.full((2, 2), 0.5)
    assert Objective(soft_labels=soft, offsets=offsets).loss(scores, rows) == Objective(soft_labels=soft).loss(
        scores, rows
    )
