"""The distances of a labelling, condensed into the few figures that a report keeps.

Takes what a transfer set holds and returns the `Labelling` of `schema`. Called at the end of a run; draws nothing.
"""

from collections.abc import Mapping

import numpy
import numpy.typing

from db3kd.report.searches import Histogram, Labelling, OutcomeCount, OutcomeName
from db3kd.tensors import Float, Int, Tensor

BINS = 30


def summarise(
    method: str,
    distances: Float[Tensor, "n k"],
    queries: Int[Tensor, "n k"],
    decisions: Int[Tensor, " n"],
    *,
    outcomes: Mapping[OutcomeName, OutcomeCount],
) -> Labelling:
    """Condense what a search found.

    Args:
        method: name of the search.
        distances: L2 in input units; not finite where nothing was found. The own class's column is ignored.
        queries: rows spent on each pair, in the same places.
        decisions: the teacher's class of each image.
        outcomes: how the pairs ended; their counts make up the number of pairs.

    Returns:
        Medians over the pairs that were found, and their histogram, whose last bin ends at the largest distance.
    """
    found = distances.detach().cpu().double().numpy()
    own = decisions.cpu().numpy()
    classes = numpy.arange(found.shape[1])
    pair = own[:, None] != classes
    usable = numpy.isfinite(found) & pair
    pairs = sum(outcome.pairs for outcome in outcomes.values())
    # The own class is no pair: what its column may carry was not spent on a search.
    spent = int(queries.cpu().numpy()[pair].sum())
    reached = numpy.where(usable, found, numpy.inf)
    by_own = [reached[own == row] for row in classes]
    matrix = tuple(
        tuple(_median(block[numpy.isfinite(block[:, column]), column]) for column in classes) for block in by_own
    )
    return Labelling(
        method=method,
        pairs=pairs,
        outcomes=dict(outcomes),
        median_distance=_median(found[usable]),
        mean_queries_per_pair=spent / pairs if pairs else None,
        median_by_classes=matrix,
        histogram=_histogram(found[usable]),
    )


def _median(values: numpy.typing.NDArray[numpy.float64]) -> float | None:
    return float(numpy.median(values)) if values.size else None


def _histogram(values: numpy.typing.NDArray[numpy.float64]) -> Histogram | None:
    if not values.size or values.max() <= 0:
        return None
    counts, edges = numpy.histogram(values, bins=BINS, range=(0.0, float(values.max())))
    return Histogram(edges=tuple(edges.tolist()), counts=tuple(counts.tolist()))
