"""Shares, counts and calibration on answers that are known beforehand."""

import json
import math
from dataclasses import asdict

import pytest
import torch
from torch import nn

from db3kd.data import from_arrays
from db3kd.errors import PlanError
from db3kd.evaluation import evaluate, logits, predict
from db3kd.models import build
from db3kd.tensors import Float, Tensor


class _Echo(nn.Module):
    """Answers with the logits that are painted into the image, one per channel."""

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b num_classes"]:
        return images[:, :, 0, 0]


def _paint(answers: list[int], num_classes: int, margin: float = 1.0) -> Float[Tensor, "n c h w"]:
    return margin * nn.functional.one_hot(torch.tensor(answers), num_classes).float()[:, :, None, None]


def test_shares_counts_and_confusion() -> None:
    images = _paint([0, 0, 1, 1, 2, 0], 4)
    labels, decisions = torch.tensor([0, 1, 1, 1, 2, 2]), torch.tensor([0, 0, 1, 0, 2, 1])
    result = evaluate(_Echo(), images, decisions=decisions, labels=labels)
    assert result.images == 6
    assert result.accuracy == pytest.approx(4 / 6)
    assert result.agreement == pytest.approx(4 / 6)
    assert [score.images for score in result.classes] == [1, 3, 2, 0]
    assert [score.accuracy for score in result.classes] == [1.0, pytest.approx(2 / 3), 0.5, None]
    assert [score.decided for score in result.classes] == [3, 2, 1, 0]
    assert [score.agreement for score in result.classes] == [pytest.approx(2 / 3), 0.5, 1.0, None]
    # A row is the teacher's class, a column the network's.
    assert result.confusion == ((2, 1, 0, 0), (1, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 0))


def test_what_is_unknown_is_none() -> None:
    images, classes = _paint([0, 1], 2), torch.tensor([0, 0])
    unlabelled = evaluate(_Echo(), images, decisions=classes)
    assert (unlabelled.accuracy, unlabelled.agreement) == (None, 0.5)
    assert unlabelled.calibration is not None
    assert unlabelled.calibration.against == "decisions"
    alone = evaluate(_Echo(), images, labels=classes)
    assert (alone.accuracy, alone.agreement, alone.confusion) == (0.5, None, None)
    assert alone.calibration is not None
    assert alone.calibration.against == "labels"
    assert alone.classes[0].decided is None
    nothing = evaluate(_Echo(), images)
    assert (nothing.accuracy, nothing.agreement, nothing.calibration) == (None, None, None)


def test_calibration_in_closed_form() -> None:
    # Confidence 0.75 on 4 images of which 3 are right, and 0.6 on 5 of which 1 is right.
    sure, unsure = _paint([0] * 4, 2, math.log(3)), _paint([1] * 5, 2, math.log(1.5))
    labels = torch.tensor([0, 0, 0, 1, 1, 0, 0, 0, 0])
    calibration = evaluate(_Echo(), torch.cat([sure, unsure]), labels=labels).calibration
    assert calibration is not None
    assert calibration.error == pytest.approx(5 / 9 * 0.4, abs=1e-6)
    assert len(calibration.bins) == 15
    filled = [each for each in calibration.bins if each.images]
    assert [(each.images, each.correct) for each in filled] == [(5, 0.2), (4, 0.75)]
    assert [each.confidence for each in filled] == pytest.approx([0.6, 0.75])
    for each in filled:
        assert each.confidence is not None
        assert each.lower - 1e-6 < each.confidence <= each.upper + 1e-6
    assert (calibration.bins[0].lower, calibration.bins[-1].upper) == (0.0, 1.0)


def test_full_confidence_is_in_the_last_bin() -> None:
    calibration = evaluate(_Echo(), _paint([0, 0], 2, 1000.0), labels=torch.tensor([0, 1])).calibration
    assert calibration is not None
    assert calibration.bins[-1].images == 2
    assert calibration.error == pytest.approx(0.5)


def test_it_becomes_json() -> None:
    result = evaluate(_Echo(), _paint([0, 1], 3), decisions=torch.tensor([0, 1]), labels=torch.tensor([0, 2]))
    read = json.loads(json.dumps(asdict(result), allow_nan=False))
    assert read["confusion"] == [[1, 0, 0], [0, 1, 0], [0, 0, 0]]
    assert read["classes"][2]["agreement"] is None


def test_batches_change_no_answer_and_the_network_stays_as_it_is() -> None:
    module = build("alexnet-quarter", (3, 32, 32), 10)
    pixels = torch.randint(0, 256, (260, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    before = {name: value.clone() for name, value in module.state_dict().items()}
    answered = logits(module, pixels)
    assert module.training
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    with torch.no_grad():
        whole = build("alexnet-quarter", (3, 32, 32), 10).eval()(pixels.float() / 255)
    assert torch.allclose(answered, whole, atol=1e-4)
    assert torch.equal(predict(module, from_arrays(pixels)), answered.argmax(1))


def test_logits_may_be_learnt_from() -> None:
    scale = torch.ones(2, requires_grad=True)
    (logits(_Echo(), _paint([0, 1], 2)) * scale).sum().backward()
    assert scale.grad is not None


def test_what_cannot_be_measured() -> None:
    images = _paint([0, 1], 2)
    with pytest.raises(PlanError, match="no images"):
        evaluate(_Echo(), images[:0], labels=torch.zeros(0, dtype=torch.int64))
    with pytest.raises(PlanError, match="2 images need as many decisions, got 1"):
        evaluate(_Echo(), from_arrays(images), decisions=torch.tensor([0]))
    with pytest.raises(PlanError, match="labels must be from 0 to 1, as the network answers, got 0 to 2"):
        evaluate(_Echo(), images, labels=torch.tensor([0, 2]))
    with pytest.raises(PlanError, match="is not there"):
        evaluate(_Echo(), images, labels=torch.tensor([0, 1]), device="cuda:63")
