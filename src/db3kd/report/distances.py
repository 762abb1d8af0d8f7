"""The distances that one search found, condensed into the few figures that a report keeps.

Distances are L2 in input units. Called at the end of a run and by `db3kd label`; draws nothing.
"""

from typing import Annotated, Literal, cast

import numpy as np
from jaxtyping import Float64
from pydantic import BaseModel, Field, model_validator

from db3kd.boundary import Distances, Outcome
from db3kd.evaluation.figures import Count, Size
from db3kd.tensors import Int, Tensor

BINS = 30
OutcomeName = Literal["FOUND", "STALLED", "BUDGET", "NO_START"]


class Histogram(BaseModel, frozen=True, extra="forbid", allow_inf_nan=False):
    """How often the distances fall between two neighbouring edges.

    Args:
        edges: distances in input units, ascending; one more than there are counts.
        counts: distances between an edge and the next one.
    """

    edges: tuple[Size, ...]
    counts: tuple[Count, ...]

    @model_validator(mode="after")
    def _edges_fit(self) -> "Histogram":
        if len(self.edges) != len(self.counts) + 1 or not self.counts:
            raise ValueError(f"{len(self.counts)} counts need one edge more, got {len(self.edges)}")
        if any(low >= high for low, high in zip(self.edges, self.edges[1:], strict=False)):
            raise ValueError("the edges must ascend")
        return self


class DistanceFigures(BaseModel, frozen=True, extra="forbid", allow_inf_nan=False):
    """What one search found over all its pairs of an image and a goal.

    Args:
        method: the search.
        pairs: pairs of an image and a goal.
        outcomes: how many pairs ended in which way, as `db3kd.boundary.Outcome` names them.
        median_distance: median over the pairs with a crossing, in input units; null where there is none.
        mean_queries_per_pair: mean over all pairs.
        median_by_classes: median distance by the teacher's class of the image (row) and the class reached (column).
        histogram: how the distances are spread.
    """

    method: Annotated[str, Field(min_length=1)]
    pairs: Count
    outcomes: dict[OutcomeName, Count] = {}
    median_distance: Size | None = None
    mean_queries_per_pair: Size | None = None
    median_by_classes: tuple[tuple[Size | None, ...], ...] = ()
    histogram: Histogram | None = None

    @model_validator(mode="after")
    def _counts_and_shapes_fit(self) -> "DistanceFigures":
        counted = sum(self.outcomes.values())
        if self.outcomes and counted != self.pairs:
            raise ValueError(f"the outcomes count {counted} pairs of {self.pairs}")
        if any(len(row) != len(self.median_by_classes) for row in self.median_by_classes):
            raise ValueError("median_by_classes must have as many columns as rows")
        return self


def summarise(found: Distances, decisions: Int[Tensor, " n"]) -> DistanceFigures:
    """Condense what a search found; an image's own class is no pair, whatever its column carries."""
    counts = found.outcomes[found.outcomes >= 0].bincount(minlength=len(Outcome)).tolist()
    pairs = sum(counts)
    distances, own = found.distances.cpu().double().numpy(), decisions.cpu().numpy()
    classes = np.arange(distances.shape[1])
    is_pair = own[:, None] != classes
    spent = int(found.queries.cpu().numpy()[is_pair].sum())
    usable = np.isfinite(distances) & is_pair
    reached = np.where(usable, distances, np.nan)
    return DistanceFigures(
        method=found.method,
        pairs=pairs,
        outcomes={cast("OutcomeName", outcome.name): counts[outcome] for outcome in Outcome},
        median_distance=_median(distances[usable]),
        mean_queries_per_pair=spent / pairs if pairs else None,
        median_by_classes=tuple(
            tuple(_median(column[np.isfinite(column)]) for column in reached[own == row].T) for row in classes
        ),
        histogram=_histogram(distances[usable]),
    )


def _median(values: Float64[np.ndarray, " p"]) -> float | None:
    return float(np.median(values)) if values.size else None


def _histogram(values: Float64[np.ndarray, " p"]) -> Histogram | None:
    if not values.size or values.max() <= 0:
        return None
    counts, edges = np.histogram(values, bins=BINS, range=(0.0, float(values.max())))
    return Histogram(edges=tuple(edges.tolist()), counts=tuple(counts.tolist()))
