"""Soft labels: the contract of every softening, and each one's closed form."""

import dataclasses
import math
from collections.abc import Mapping

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from db3kd.errors import InputError, PlanError
from db3kd.names import SOFTENINGS, find
from db3kd.softening import Inverse, Opinions, Proportional, Smoothed, Softening
from db3kd.tensors import Float, Int, Tensor

every_softening = pytest.mark.parametrize("name", SOFTENINGS)
by_distance = pytest.mark.parametrize("kind", [Inverse, Proportional])
Rows = tuple[Float[Tensor, "n num_classes"], Int[Tensor, " n"]]


def _named(name: str, **options: float) -> Softening:
    softening = find(SOFTENINGS, name)(**options)
    assert isinstance(softening, Softening)
    return softening


def _soften(
    softening: Softening, distances: Float[Tensor, "n c"], decisions: Int[Tensor, " n"]
) -> Float[Tensor, "n c"]:
    """With opinions that say what the distances say."""
    opinions = -distances.nan_to_num(nan=0.0, posinf=1e4)
    opinions = opinions.scatter(1, decisions[:, None], 0.0)
    return softening(decisions, distances=distances, opinions=opinions, num_classes=distances.shape[1])


@st.composite
def _rows(draw: st.DrawFn) -> Rows:
    num_classes = draw(st.integers(2, 6))
    distance = st.one_of(st.floats(2.0**-10, 2.0**10, width=32), st.just(math.inf), st.just(0.0))
    rows = draw(st.lists(st.lists(distance, min_size=num_classes, max_size=num_classes), min_size=1, max_size=4))
    decisions = [draw(st.integers(0, num_classes - 1)) for _ in rows]
    return torch.tensor(rows, dtype=torch.float32), torch.tensor(decisions)


@every_softening
def test_its_options_have_defaults_and_its_temperatures_are_options(name: str) -> None:
    softening = _named(name)
    assert softening.name == name
    assert softening.needs in ("nothing", "distances", "opinions")
    assert dataclasses.is_dataclass(type(softening))
    assert _named(name, temperature=3.0, compare_at=5.0) != softening == _named(name)
    with pytest.raises(PlanError, match=r"temperature .* got 0.0; compare_at .* got nan"):
        _named(name, temperature=0.0, compare_at=math.nan)
    with pytest.raises(PlanError, match="got inf"):
        _named(name, temperature=math.inf)


@every_softening
@given(rows=_rows(), temperature=st.floats(0.05, 100.0))
def test_rows_are_distributions_with_the_decision_on_top(name: str, rows: Rows, temperature: float) -> None:
    distances, decisions = rows
    softened = _soften(_named(name, temperature=temperature), distances, decisions)
    assert softened.dtype == torch.float32
    assert softened.isfinite().all()
    assert (softened >= 0).all()
    assert torch.allclose(softened.sum(1), torch.ones(len(softened)), atol=1e-5)
    assert (softened <= softened.gather(1, decisions[:, None])).all()


@every_softening
@given(rows=_rows(), temperature=st.floats(0.05, 100.0))
def test_a_nearer_class_never_has_less(name: str, rows: Rows, temperature: float) -> None:
    distances, decisions = rows
    softened = _soften(_named(name, temperature=temperature), distances, decisions)
    for distance, label, decision in zip(distances, softened, decisions.tolist(), strict=True):
        others = [at for at in range(len(distance)) if at != decision]
        ordered = sorted(others, key=lambda at: float(distance[at]))
        entries = [float(label[at]) for at in ordered]
        assert entries == sorted(entries, reverse=True)


@every_softening
def test_higher_temperatures_are_flatter(name: str) -> None:
    distances, decisions = torch.tensor([[9.0, 0.5, 1.0, 2.0]]), torch.tensor([0])
    soft = [_soften(_named(name, temperature=at), distances, decisions) for at in (0.01, 0.1, 1.0, 10.0, 1e6)]
    tops = [label[0, 0].item() for label in soft]
    assert tops == sorted(tops, reverse=True)
    assert tops[0] == pytest.approx(1.0)
    assert tops[-1] == pytest.approx(0.25, abs=1e-4)


@every_softening
def test_there_may_be_nothing_to_soften(name: str) -> None:
    assert _soften(_named(name), torch.zeros(0, 3), torch.zeros(0, dtype=torch.int64)).shape == (0, 3)


@every_softening
@pytest.mark.parametrize("decision", [2, -1])
def test_a_decision_that_is_no_class_is_refused(name: str, decision: int) -> None:
    table = torch.tensor([[1.0, 0.5]])
    with pytest.raises(InputError, match=f"from 0 to 1, got {decision}"):
        _named(name)(torch.tensor([decision]), distances=table, opinions=table, num_classes=2)


@every_softening
def test_what_it_needs_is_all_that_it_looks_at(name: str) -> None:
    softening, decisions = _named(name), torch.tensor([0, 1])
    table = torch.tensor([[1.0, 0.5, 2.0], [0.3, 2.0, 0.1]])
    needed: Mapping[str, Tensor] = {} if softening.needs == "nothing" else {softening.needs: table}
    whole = softening(decisions, distances=table, opinions=table, num_classes=3)
    assert torch.equal(softening(decisions, **needed, num_classes=3), whole)
    if needed:
        with pytest.raises(InputError, match=f"{name!r} needs {softening.needs}"):
            softening(decisions, num_classes=3)


@by_distance
@pytest.mark.parametrize("distance", [math.nan, -0.5])
def test_no_distance_is_negative_or_not_a_number(kind: type[Inverse] | type[Proportional], distance: float) -> None:
    with pytest.raises(InputError, match="negative one or NaN"):
        kind()(torch.tensor([0]), distances=torch.tensor([[1.0, distance]]), num_classes=2)


@by_distance
def test_a_distance_of_zero_is_the_limit_of_small_ones(kind: type[Inverse] | type[Proportional]) -> None:
    zero, small = (
        kind(0.4)(torch.tensor([0]), distances=torch.tensor([[1.0, at, 3.0, 5.0]]), num_classes=4) for at in (0.0, 1e-7)
    )
    assert torch.allclose(zero, small, atol=1e-4)
    assert zero[0, 0] >= zero[0, 1] > zero[0, 2:].max()


def test_the_papers_rule_in_closed_form() -> None:
    distances = torch.tensor([[math.nan, 0.5, 4.0, math.inf]])
    softened = Inverse(2.0)(torch.tensor([0]), distances=distances, num_classes=4)
    expected = [math.exp(weight / 2.0) for weight in (2.25, 2.0, 0.25, 0.0)]
    assert softened[0].tolist() == pytest.approx([entry / sum(expected) for entry in expected], rel=1e-6)


def test_by_the_papers_rule_an_image_without_any_boundary_keeps_its_decision() -> None:
    distances = torch.tensor([[math.inf, 1.0, math.inf], [math.inf, 0.0, 1.0]])
    softened = Inverse()(torch.tensor([1, 1]), distances=distances, num_classes=3)
    assert softened[0].tolist() == [0.0, 1.0, 0.0]
    assert softened[1, 2] > 0


def test_the_papers_rule_takes_a_temperature_per_unit_and_ties_two_classes() -> None:
    distances, decisions = torch.tensor([[9.0, 0.5, 2.0]]), torch.tensor([0])
    softened = Inverse(5.0)(decisions, distances=distances, num_classes=3)
    scaled = Inverse(5.0 / 255)(decisions, distances=distances * 255, num_classes=3)
    assert torch.allclose(scaled, softened, atol=1e-6)
    assert not torch.allclose(Inverse(5.0)(decisions, distances=distances * 255, num_classes=3), softened, atol=1e-2)
    assert Inverse(1.0)(decisions, distances=distances[:, :2], num_classes=2)[0].tolist() == [0.5, 0.5]


def test_the_proportional_rule_in_closed_form() -> None:
    distances = torch.tensor([[2.0, math.nan, 3.0, math.inf], [1.0, 6.0, math.inf, math.inf]])
    softened = Proportional(2.0)(torch.tensor([1, 3]), distances=distances, num_classes=4)
    # The mean of what was found is 3, and a class that was not found is as far as the farthest of its row or the mean.
    gaps = [[2.0, 0.0, 3.0, 3.0], [1.0, 6.0, 6.0, 0.0]]
    for row, own_gaps in zip(softened.tolist(), gaps, strict=True):
        weights = [math.exp(-4.0 * gap / 3.0 / 2.0) for gap in own_gaps]
        assert row == pytest.approx([weight / sum(weights) for weight in weights], rel=1e-6)


def test_the_proportional_rule_without_any_distance_smooths_the_decision() -> None:
    distances, decisions = torch.full((3, 4), torch.inf), torch.tensor([0, 3, 1])
    softened = Proportional()(decisions, distances=distances, num_classes=4)
    assert torch.allclose(softened, Smoothed()(decisions, num_classes=4))


@given(rows=_rows(), temperature=st.floats(0.05, 100.0), unit=st.sampled_from([2.0**-8, 0.25, 4.0, 256.0]))
def test_the_proportional_rule_knows_no_unit(rows: Rows, temperature: float, unit: float) -> None:
    distances, decisions = rows
    rule, classes = Proportional(temperature), distances.shape[1]
    scaled = rule(decisions, distances=distances * unit, num_classes=classes)
    assert torch.allclose(scaled, rule(decisions, distances=distances, num_classes=classes), atol=1e-6)


def test_a_smoothed_decision_in_closed_form() -> None:
    decisions = torch.tensor([0, 3, 1])
    soft = Smoothed()(decisions, num_classes=4)
    own = math.exp(4 / 20) / (math.exp(4 / 20) + 3)
    assert torch.allclose(soft[torch.arange(3), decisions], torch.full((3,), own))


def test_opinions_count_by_their_gaps_and_the_decision_has_the_last_word() -> None:
    opinions, decisions = torch.tensor([[3.0, 5.0, 1.0], [0.0, 1.0, 4.0]]), torch.tensor([0, 2])
    softened = Opinions(7.0)(decisions, opinions=opinions, num_classes=3)
    gaps = torch.tensor([[0.0, 0.0, 2.0], [4.0, 3.0, 0.0]])
    assert torch.equal(softened, Proportional(7.0)(decisions, distances=gaps, num_classes=3))
    assert softened[0, 0] == softened[0, 1]
