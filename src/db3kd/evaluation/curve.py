"""Agreement against questions: what the rounds of a run measured, and what further questions would bring."""

import math
from collections.abc import Sequence
from statistics import linear_regression
from typing import NamedTuple

from db3kd.evaluation.figures import Gain
from db3kd.evaluation.trust import interval

_LEAST_ERROR = 1e-3
_MORE = 1000
_LEAST_TO_FORECAST = 20


class Point(NamedTuple):
    """The agreement of a committee after so many questions, on answers that it has not learned, with its interval."""

    queries: int
    agreement: float
    lower: float
    upper: float


def curve_of(gains: Sequence[Gain]) -> tuple[Point, ...]:
    """Put the rounds of a run into a curve; networks that learned for longer than those before are a point as well."""
    found = {gains[0].since: (gains[0].before, gains[0].images)} if gains else {}
    found |= {gain.queries: (gain.after, gain.images) for gain in gains}
    return tuple(Point(queries, share, *interval(share, images)) for queries, (share, images) in found.items())


def forecast_of(gains: Sequence[Gain]) -> float | None:
    """Tell what 1,000 more questions would bring to a run; None where its agreement is known of fewer than 20 answers.

    See `forecast`.
    """
    if not gains or gains[-1].images < _LEAST_TO_FORECAST:
        return None
    return forecast(curve_of([gain for gain in gains if not gain.learned_longer]), curve_of(gains)[-1:])


def forecast(points: Sequence[Point], last: Sequence[Point] = ()) -> float | None:
    """Tell the agreement after 1,000 more questions, by the power law through the errors of a curve.

    It is taken on from the `last` point where there is one: of networks that learned for longer, which says nothing of
    what questions bring. None where fewer than two points tell nothing. What is not sure to shrink is taken to stay.

    Source: power laws of learning curves, as in Hestness et al. (2017).
    """
    if len(points) < 2:
        return None
    across = [math.log(point.queries) for point in points]
    errors = [math.log(max(_LEAST_ERROR, 1 - point.agreement)) for point in points]
    (now,) = last or points[-1:]
    shrunk: float = ((now.queries + _MORE) / now.queries) ** min(0.0, linear_regression(across, errors).slope)
    return 1 - (1 - now.agreement) * shrunk
