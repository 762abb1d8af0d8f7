"""A curve of what the rounds measured, and where it leads."""

import pytest

from db3kd.evaluation import Gain, Point, curve_of, forecast, interval

GAINS = (
    Gain(500, 1000, 200, 0.6, 0.7, 0.03),
    Gain(1000, 2000, 200, 0.7, 0.8, 0.03),
    Gain(2000, 2000, 200, 0.8, 0.85, 0.03, learned_longer=True),
)


def test_a_curve_has_a_point_for_each_number_of_questions() -> None:
    curve = curve_of(GAINS)
    assert [(point.queries, point.agreement) for point in curve] == [(500, 0.6), (1000, 0.7), (2000, 0.85)]
    assert all(point.lower < point.agreement < point.upper for point in curve)
    assert curve_of(()) == ()


def test_an_interval_is_wilsons() -> None:
    assert interval(0.5, 100) == pytest.approx((0.4038, 0.5962), abs=1e-3)
    assert interval(1.0, 20)[1] == 1.0
    assert interval(0.0, 20)[0] == 0.0


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_an_interval_holds_its_share_whatever_is_rounded(share: float) -> None:
    for count in range(1, 400):
        low, high = interval(share, count)
        assert low <= share <= high, count


def _point(queries: int, agreement: float) -> Point:
    return Point(queries, agreement, 0.0, 1.0)


def test_the_errors_of_a_power_law_are_foretold() -> None:
    points = [_point(queries, 1 - 4 * queries**-0.5) for queries in (400, 900, 3000)]
    assert forecast(points) == pytest.approx(1 - 4 * 4000**-0.5)


def test_longer_learning_is_where_it_goes_on_and_not_how_fast() -> None:
    points = [_point(queries, 1 - 4 * queries**-0.5) for queries in (400, 900)]
    assert forecast(points, [_point(900, 0.9)]) == pytest.approx(1 - 0.1 * (900 / 1900) ** 0.5)


def test_what_does_not_grow_is_not_said_to_grow() -> None:
    assert forecast([_point(100, 0.9), _point(200, 0.8)]) == pytest.approx(0.8)
    assert forecast([_point(100, 1.0), _point(200, 1.0)]) == pytest.approx(1.0)
    assert forecast([_point(100, 0.9)]) is None
    assert forecast([]) is None
