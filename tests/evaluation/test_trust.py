"""Shares on answers that are known beforehand, and rounds that gain or do not."""

import json
from collections.abc import Sequence
from dataclasses import asdict

import pytest
import torch

from db3kd.answers import Answers
from db3kd.data import from_arrays
from db3kd.errors import PlanError
from db3kd.evaluation import Gain, has_flattened, measure_gain, measure_trust, never_decided


def _answers(decisions: list[int], num_classes: int, *, origins: Sequence[str] = (), learned: int = 2) -> Answers:
    """Answers of which all but the first ones are set aside."""
    classes = torch.tensor([0] * learned + decisions)
    return Answers(
        from_arrays(torch.zeros(len(classes), 1, 2, 2)),
        classes,
        ("learned",) * learned + (tuple(origins) or ("any",) * len(decisions)),
        num_classes,
        torch.arange(len(classes)) >= learned,
    )


def test_agreement_by_class_and_by_origin() -> None:
    origins = ("noise", "noise", "strokes", "strokes", "strokes", "noise", "strokes")
    answers = _answers([0, 0, 1, 1, 2, 2, 4], 4, origins=origins)
    # The teacher abstained on the last image: there is nothing to agree with.
    trust = measure_trust(torch.tensor([0, 0, 1, 2, 2, 0, 0]), answers)
    assert trust.images == 6
    assert trust.agreement == pytest.approx(4 / 6)
    assert [(one.decided, one.agreement) for one in trust.classes] == [(2, 1.0), (2, 0.5), (2, 0.5), (0, None)]
    assert [(one.origin, one.images) for one in trust.origins] == [("noise", 3), ("strokes", 3)]
    assert [one.agreement for one in trust.origins] == [pytest.approx(2 / 3), pytest.approx(2 / 3)]
    assert trust.mean_over_classes == pytest.approx(2 / 3)
    assert json.loads(json.dumps(asdict(trust)))["classes"][3]["agreement"] is None


def test_the_interval_is_wilsons_and_narrows_with_more_answers() -> None:
    few = measure_trust(torch.zeros(10, dtype=torch.int64), _answers([0] * 9 + [1], 2))
    many = measure_trust(torch.zeros(100, dtype=torch.int64), _answers([0] * 90 + [1] * 10, 2))
    assert few.upper is not None
    assert few.lower is not None
    assert many.upper is not None
    assert many.lower is not None
    # 90 of 100, as in any table of Wilson's interval.
    assert [many.lower, many.upper] == pytest.approx([0.8256, 0.9448], abs=1e-3)
    assert few.upper - few.lower > 2 * (many.upper - many.lower)


def test_nothing_set_aside_is_nothing_known() -> None:
    trust = measure_trust(torch.zeros(0, dtype=torch.int64), _answers([], 2))
    assert (trust.images, trust.agreement, trust.lower, trust.upper, trust.mean_over_classes) == (0, *[None] * 4)


def test_there_is_one_class_for_each_image_set_aside() -> None:
    with pytest.raises(PlanError, match="3 answers are set aside, and the student's classes are 2"):
        measure_trust(torch.zeros(2, dtype=torch.int64), _answers([0, 0, 1], 2))


def test_a_gain_and_how_sure_it_is() -> None:
    decisions = torch.zeros(100, dtype=torch.int64)
    before, after = (torch.arange(100) >= 70).long(), (torch.arange(100) >= 80).long()
    gain = measure_gain(before, after, decisions, since=4000, queries=5000)
    assert (gain.before, gain.after, gain.queries, gain.images) == (0.7, 0.8, 5000, 100)
    # Ten answers of a hundred became right: the variance of one is 0.1 x 0.9.
    assert gain.error == pytest.approx(0.03)
    unchanged = measure_gain(before, before, decisions, since=4000, queries=5000)
    assert unchanged.error == pytest.approx(0.01)
    with pytest.raises(PlanError, match="one answer at least"):
        measure_gain(before[:0], after[:0], decisions[:0], since=0, queries=0)


def test_flat_only_after_patience_and_only_where_it_is_sure() -> None:
    def gain(by: float, error: float = 0.0005) -> Gain:
        return Gain(500, 1000, 1000, 0.8, 0.8 + by, error)

    assert not has_flattened([])
    assert not has_flattened([gain(0.0)])
    assert has_flattened([gain(0.05), gain(0.0), gain(-0.01)])
    assert not has_flattened([gain(0.0), gain(0.05)])
    assert not has_flattened([gain(0.0, error=0.02), gain(0.0, error=0.02)])
    # One answer that was lost tells something where it is one of many.
    for answers, tells in ((20, False), (100, False), (150, True)):
        right = torch.zeros(answers, dtype=torch.int64)
        wrong = (torch.arange(answers) == 0).long()
        lost = measure_gain(right, wrong, right, since=4000, queries=5000)
        assert has_flattened([lost, lost]) == tells


def test_classes_that_never_came_are_named() -> None:
    assert never_decided(torch.tensor([3, 0, 5, 0])) == (1, 3)
    assert never_decided(torch.tensor([3, 1])) == ()
