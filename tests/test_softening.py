"""Soft labels: closed forms, and what holds for any distances."""

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from db3kd.errors import InputError
from db3kd.softening import inverse_distance, proportional_distance, relative_distance, smoothed_decision
from db3kd.tensors import Float, Int, Tensor

Rule = Callable[[Float[Tensor, "n num_classes"], Int[Tensor, " n"], float], Float[Tensor, "n num_classes"]]

RULES = pytest.mark.parametrize("rule", [inverse_distance, relative_distance, proportional_distance])


@st.composite
def _rows(draw: st.DrawFn) -> tuple[Float[Tensor, "n num_classes"], Int[Tensor, " n"]]:
    num_classes = draw(st.integers(2, 6))
    distance = st.one_of(st.floats(2.0**-10, 2.0**10, width=32), st.just(math.inf), st.just(0.0))
    rows = draw(st.lists(st.lists(distance, min_size=num_classes, max_size=num_classes), min_size=1, max_size=4))
    decisions = [draw(st.integers(0, num_classes - 1)) for _ in rows]
    return torch.tensor(rows, dtype=torch.float32), torch.tensor(decisions)


TEMPERATURES = st.floats(0.05, 100.0)


def test_the_papers_rule_in_closed_form() -> None:
    distances = torch.tensor([[math.nan, 0.5, 4.0, math.inf]])
    softened = inverse_distance(distances, torch.tensor([0]), 2.0)
    expected = [math.exp(weight / 2.0) for weight in (2.25, 2.0, 0.25, 0.0)]
    assert softened[0].tolist() == pytest.approx([entry / sum(expected) for entry in expected], rel=1e-6)
    assert softened.dtype == torch.float32


def test_the_relative_rule_in_closed_form() -> None:
    distances = torch.tensor([[2.0, math.nan, 3.0, math.inf]])
    softened = relative_distance(distances, torch.tensor([1]), 0.5)
    expected = [math.exp(-1.0 / 0.5), 1.0, math.exp(-1.5 / 0.5), 0.0]
    assert softened[0].tolist() == pytest.approx([entry / sum(expected) for entry in expected], rel=1e-6)
    assert softened[0, 3] == 0


def test_the_proportional_rule_in_closed_form() -> None:
    distances = torch.tensor([[2.0, math.nan, 3.0, math.inf], [1.0, 6.0, math.inf, math.inf]])
    softened = proportional_distance(distances, torch.tensor([1, 3]), 2.0)
    # The mean of what was found is 3, and a class that was not found is as far as the farthest of its row or the mean.
    gaps = [[2.0, 0.0, 3.0, 3.0], [1.0, 6.0, 6.0, 0.0]]
    for row, own_gaps in zip(softened.tolist(), gaps, strict=True):
        weights = [math.exp(-4.0 * gap / 3.0 / 2.0) for gap in own_gaps]
        assert row == pytest.approx([weight / sum(weights) for weight in weights], rel=1e-6)


def test_the_proportional_rule_without_any_distance_smooths_the_decision() -> None:
    distances, decisions = torch.full((3, 4), torch.inf), torch.tensor([0, 3, 1])
    smoothed = smoothed_decision(distances, decisions, 20.0)
    assert torch.allclose(proportional_distance(distances, decisions, 20.0), smoothed)


@pytest.mark.parametrize("rule", [inverse_distance, relative_distance])
def test_an_image_without_any_boundary_keeps_its_decision(rule: Rule) -> None:
    distances = torch.tensor([[math.inf, 1.0, math.inf], [math.inf, 0.0, 1.0]])
    softened = rule(distances, torch.tensor([1, 1]), 20.0)
    assert softened[0].tolist() == [0.0, 1.0, 0.0]
    assert softened[1, 2] > 0


@RULES
def test_a_distance_of_zero_is_the_limit_of_small_ones(rule: Rule) -> None:
    others = [3.0, 5.0]
    zero = rule(torch.tensor([[1.0, 0.0, *others]]), torch.tensor([0]), 0.4)
    small = rule(torch.tensor([[1.0, 1e-7, *others]]), torch.tensor([0]), 0.4)
    assert torch.allclose(zero, small, atol=1e-4)
    assert zero[0, 0] >= zero[0, 1] > zero[0, 2:].max()


@RULES
@given(rows=_rows(), temperature=TEMPERATURES)
def test_rows_are_distributions_with_the_decision_on_top(
    rule: Rule, rows: tuple[Float[Tensor, "n num_classes"], Int[Tensor, " n"]], temperature: float
) -> None:
    distances, decisions = rows
    softened = rule(distances, decisions, temperature)
    assert softened.isfinite().all()
    assert (softened >= 0).all()
    assert torch.allclose(softened.sum(1), torch.ones(len(softened)), atol=1e-5)
    own = softened.gather(1, decisions[:, None])
    assert (softened <= own).all()
    if rule is relative_distance and temperature <= 20:
        # Strictly, so argmax finds it wherever it stands.
        assert torch.equal(softened.argmax(1), decisions)


@RULES
@given(rows=_rows(), temperature=TEMPERATURES)
def test_a_nearer_class_never_has_less(
    rule: Rule, rows: tuple[Float[Tensor, "n num_classes"], Int[Tensor, " n"]], temperature: float
) -> None:
    distances, decisions = rows
    softened = rule(distances, decisions, temperature)
    for distance, label, decision in zip(distances, softened, decisions.tolist(), strict=True):
        others = [at for at in range(len(distance)) if at != decision]
        ordered = sorted(others, key=lambda at: float(distance[at]))
        entries = [float(label[at]) for at in ordered]
        assert entries == sorted(entries, reverse=True)


@pytest.mark.parametrize("rule", [relative_distance, proportional_distance])
@given(rows=_rows(), temperature=TEMPERATURES, unit=st.sampled_from([2.0**-8, 0.25, 4.0, 256.0]))
def test_two_rules_know_no_unit(
    rule: Rule, rows: tuple[Float[Tensor, "n num_classes"], Int[Tensor, " n"]], temperature: float, unit: float
) -> None:
    distances, decisions = rows
    scaled = rule(distances * unit, decisions, temperature)
    assert torch.allclose(scaled, rule(distances, decisions, temperature), atol=1e-6)


def test_the_papers_rule_takes_a_temperature_per_unit() -> None:
    distances, decisions = torch.tensor([[9.0, 0.5, 2.0]]), torch.tensor([0])
    softened = inverse_distance(distances, decisions, 5.0)
    assert torch.allclose(inverse_distance(distances * 255, decisions, 5.0 / 255), softened, atol=1e-6)
    assert not torch.allclose(inverse_distance(distances * 255, decisions, 5.0), softened, atol=1e-2)


def test_where_one_class_was_found_only_the_relative_rule_keeps_the_decision_above() -> None:
    distances, decisions = torch.tensor([[9.0, 0.5]]), torch.tensor([0])
    assert inverse_distance(distances, decisions, 1.0)[0].tolist() == [0.5, 0.5]
    assert relative_distance(distances, decisions, 1.0)[0, 0].item() == pytest.approx(1 / (1 + math.exp(-1)))


@RULES
def test_higher_temperatures_are_flatter(rule: Rule) -> None:
    distances, decisions = torch.tensor([[9.0, 0.5, 1.0, 2.0]]), torch.tensor([0])
    tops = [rule(distances, decisions, temperature)[0, 0].item() for temperature in (0.01, 0.1, 1.0, 10.0, 1e6)]
    assert tops == sorted(tops, reverse=True)
    assert tops[0] == pytest.approx(1.0)
    assert tops[-1] == pytest.approx(0.25, abs=1e-4)


@RULES
def test_nothing_to_soften(rule: Rule) -> None:
    assert rule(torch.zeros(0, 3), torch.zeros(0, dtype=torch.int64), 1.0).shape == (0, 3)


@RULES
@pytest.mark.parametrize(
    ("distances", "decision", "temperature", "message"),
    [
        ([1.0, math.nan], 0, 1.0, "negative one or NaN"),
        ([1.0, -0.5], 0, 1.0, "negative one or NaN"),
        ([1.0, 0.5], 2, 1.0, "from 0 to 1, got 2"),
        ([1.0, 0.5], -1, 1.0, "from 0 to 1, got -1"),
        ([1.0, 0.5], 0, 0.0, "must be positive"),
        ([1.0, 0.5], 0, math.nan, "must be positive"),
    ],
)
def test_what_cannot_be_softened(
    rule: Rule, distances: list[float], decision: int, temperature: float, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        rule(torch.tensor([distances]), torch.tensor([decision]), temperature)


def test_smoothed_decisions_know_nothing_of_distances() -> None:
    near, far = torch.full((3, 4), 0.1), torch.full((3, 4), torch.inf)
    decisions = torch.tensor([0, 3, 1])
    soft = smoothed_decision(near, decisions, 20.0)
    assert torch.equal(soft, smoothed_decision(far, decisions, 20.0))
    own = math.exp(4 / 20) / (math.exp(4 / 20) + 3)
    assert torch.allclose(soft[torch.arange(3), decisions], torch.full((3,), own))
    assert torch.allclose(soft.sum(1), torch.ones(3))


@pytest.mark.parametrize("temperature", [0.0, -1.0, math.inf, math.nan])
def test_no_rule_takes_such_a_temperature(temperature: float) -> None:
    with pytest.raises(InputError, match="positive"):
        smoothed_decision(torch.ones(1, 2), torch.tensor([0]), temperature)
