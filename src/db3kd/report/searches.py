"""What a report says of searches: the distances that they found, how they ended, and the primers that guided them.

The figures are computed elsewhere and only gathered here; `schema` has the others of a report.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, Field, model_validator

from db3kd.report.ranges import Count, Distance, Fraction

OutcomeName = Literal["FOUND", "STALLED", "BUDGET", "NO_START"]


class OutcomeCount(BaseModel, frozen=True, extra="forbid", allow_inf_nan=False):
    """How many pairs ended in one way.

    Args:
        pairs: number of them.
        sentence: what that outcome means, for the user.
    """

    pairs: Count
    sentence: str = ""


class Histogram(BaseModel, frozen=True, extra="forbid", allow_inf_nan=False):
    """How often the distances fall between two neighbouring edges.

    Args:
        edges: one more than counts, ascending, in input units.
        counts: number of pairs between an edge and the next.

    Raises:
        ValidationError: edges that do not ascend or do not fit the counts.
    """

    edges: tuple[Distance, ...]
    counts: tuple[Count, ...]

    @model_validator(mode="after")
    def _edges_fit(self) -> "Histogram":
        if len(self.edges) != len(self.counts) + 1 or not self.counts:
            raise ValueError(f"{len(self.counts)} counts need one edge more, got {len(self.edges)}")
        if any(low >= high for low, high in zip(self.edges, self.edges[1:], strict=False)):
            raise ValueError("the edges must ascend")
        return self


class Labelling(BaseModel, frozen=True, extra="forbid", allow_inf_nan=False):
    """What one search found over all its pairs of an image and a goal.

    Args:
        method: sd, bd, mbd, guided or another search.
        pairs: number of pairs that were searched.
        outcomes: how they ended; the counts add up to `pairs`.
        median_distance: over the pairs with a crossing; None where there is none.
        mean_queries_per_pair: rows spent over pairs.
        median_by_classes: row the teacher's class of the image, column the class reached; None where nothing was found.
        histogram: of the distances found.

    Raises:
        ValidationError: a matrix that is not square, or outcomes that do not add up.
    """

    method: Annotated[str, Field(min_length=1)]
    pairs: Count
    outcomes: dict[OutcomeName, OutcomeCount] = {}
    median_distance: Distance | None = None
    mean_queries_per_pair: Annotated[float, Field(ge=0)] | None = None
    median_by_classes: tuple[tuple[Distance | None, ...], ...] = ()
    histogram: Histogram | None = None

    @model_validator(mode="after")
    def _counts_and_shapes_fit(self) -> "Labelling":
        counted = sum(outcome.pairs for outcome in self.outcomes.values())
        if self.outcomes and counted != self.pairs:
            raise ValueError(f"the outcomes count {counted} pairs of {self.pairs}")
        if any(len(row) != len(self.median_by_classes) for row in self.median_by_classes):
            raise ValueError("median_by_classes must have as many columns as rows")
        return self


class Primers(BaseModel, frozen=True, extra="forbid", allow_inf_nan=False):
    """The networks that guided a search, and what they cost beside the teacher's queries.

    Args:
        architecture: of each of them.
        networks: how many.
        queries: what they learned from beside the images' own decisions.
        accuracy: share of the evaluation images decided as labelled; the mean over the networks.
        agreement: share of the evaluation images that they decide as the teacher does; the mean over the networks.
        cosine: of their gradient to the way from an image to its nearest crossing, the mean over some images.
        passes: forward and backward passes of one image through one network during the search.
        seconds: wall time of these passes; those of a shard that was made in two sessions count as in the last one.
    """

    architecture: str
    networks: Count
    queries: Count
    accuracy: Fraction | None = None
    agreement: Fraction | None = None
    cosine: Annotated[float, Field(ge=-1, le=1)] | None = None
    passes: Count | None = None
    seconds: Annotated[float, Field(ge=0)] | None = None
