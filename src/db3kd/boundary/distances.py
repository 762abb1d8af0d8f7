"""Distances to the boundary of every class: measured shard by shard, and put together.

A shard is a few hundred images with all their pairs: enough rows to keep the teacher's calls full, few enough to fit in
memory whatever the size of the data set. Which shards are still to be made, and their files, are the pipeline's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated

import torch
from annotated_types import Ge

from db3kd.arguments import check_arguments, checked_options
from db3kd.boundary.bisection import BoundaryDistance
from db3kd.boundary.crossing import Crossings
from db3kd.boundary.exemplars import Exemplars
from db3kd.boundary.goal import Pairs
from db3kd.boundary.guide import Guide
from db3kd.boundary.interrogate import interrogate
from db3kd.boundary.search import Method
from db3kd.context import HERE, Context
from db3kd.data import Dataset
from db3kd.errors import InputError, PlanError
from db3kd.models.placement import find_device
from db3kd.teachers import Teacher
from db3kd.tensors import Float, Int, Tensor

OWN_CLASS = -1
_SNAPSHOT = "snapshots."


@checked_options
class Measurement:
    """How distances are measured.

    Args:
        method: the search.
        queries_per_pair: most queries for one image and class; None for what is usual of the method.
        snapshots: query counts at which distances are kept, in ascending order.

    Raises:
        PlanError: a value out of its range, or a snapshot that no pair gets to.
    """

    method: Method = field(default_factory=BoundaryDistance)
    queries_per_pair: Annotated[int, Ge(0)] | None = None
    snapshots: tuple[Annotated[int, Ge(0)], ...] = ()

    def __post_init__(self) -> None:
        late = [count for count in self.snapshots if count >= self.queries]
        if late or list(self.snapshots) != sorted(set(self.snapshots)):
            raise PlanError(
                f"snapshots must ascend and lie below the {self.queries:,} queries that a pair may ask, got "
                f"{list(self.snapshots)}; nothing was asked: change them, or raise queries_per_pair"
            )

    @property
    def queries(self) -> int:
        """Most queries for one image and class."""
        return self.method.usual_queries if self.queries_per_pair is None else self.queries_per_pair


@dataclass(frozen=True, eq=False)
class Distances:
    """How far the boundary of each class is from each of n images.

    Args:
        ids: of the images.
        distances: L2 in input units; inf where nothing was found and for the own class.
        queries: what each distance cost.
        outcomes: an `Outcome` per distance, `OWN_CLASS` for the own class.
        method: the name of the search.
        snapshots: distances as they were when a pair had spent so many queries.

    Raises:
        InputError: another number of ids than of distances.
    """

    ids: tuple[str, ...] = field(repr=False)
    distances: Float[Tensor, "n num_classes"]
    queries: Int[Tensor, "n num_classes"]
    outcomes: Int[Tensor, "n num_classes"]
    method: str
    snapshots: Mapping[int, Float[Tensor, "n num_classes"]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_arguments(type(self).__init__, vars(self))
        if len(self.ids) != len(self.distances):
            raise InputError(
                f"{len(self.distances):,} images with distances need as many ids, got {len(self.ids):,}; nothing was "
                "kept: give the ids of the images that were measured"
            )

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def num_classes(self) -> int:
        """Number of classes that the teacher knows."""
        return self.distances.shape[1]

    @property
    def cost(self) -> int:
        """Queries of all distances together."""
        return int(self.queries.sum())

    def at(self, queries_per_pair: int) -> "Distances":
        """Take the distances as they were at a snapshot, at the cost of that moment; the outcomes stay."""
        if queries_per_pair not in self.snapshots:
            kept = ", ".join(map(str, sorted(self.snapshots))) or "none"
            raise InputError(
                f"no snapshot at {queries_per_pair} queries a pair; these are kept: {kept}; nothing was changed: "
                "choose one of them, or measure again with it among the snapshots"
            )
        capped = self.queries.clamp(max=queries_per_pair)
        return replace(self, distances=self.snapshots[queries_per_pair], queries=capped, snapshots={})

    def of(self, ids: Sequence[str]) -> Float[Tensor, "m num_classes"]:
        """Give the distances of images in an order of one's own; infinite for an image that was not measured."""
        places = {name: place for place, name in enumerate(self.ids)}
        unknown = self.distances.new_full((1, self.num_classes), torch.inf)
        rows = torch.tensor([places.get(name, len(self)) for name in ids], dtype=torch.int64)
        return torch.cat([self.distances, unknown])[rows]

    def tensors(self) -> dict[str, Tensor]:
        """Give all but ids and method as named tensors, as a shard has them."""
        named = {"distances": self.distances, "queries": self.queries, "outcomes": self.outcomes}
        return named | {f"{_SNAPSHOT}{count}": kept for count, kept in self.snapshots.items()}

    @classmethod
    def from_tensors(cls, ids: Sequence[str], shards: Sequence[Mapping[str, Tensor]], method: str) -> "Distances":
        """Put one or more shards together, or read what `tensors` gave; what else they hold is left out."""

        def joined(name: str) -> Tensor:
            return torch.cat([shard[name] for shard in shards])

        counts = sorted(int(name.removeprefix(_SNAPSHOT)) for name in shards[0] if name.startswith(_SNAPSHOT))
        snapshots = {count: joined(f"{_SNAPSHOT}{count}") for count in counts}
        return cls(tuple(ids), joined("distances"), joined("queries"), joined("outcomes"), method, snapshots)


def measure_shard(
    oracle: Teacher,
    images: Dataset,
    decisions: Int[Tensor, " n"],
    exemplars: Exemplars,
    measurement: Measurement,
    *,
    guide: Guide | None = None,
    examples: int = 0,
    context: Context = HERE,
) -> dict[str, Tensor]:
    """Measure the distances of one shard.

    Args:
        oracle: is asked; an `Oracle`, or something that remembers its answers.
        images: the n images.
        decisions: the teacher's class of each.
        exemplars: to start from.
        measurement: how.
        guide: a committee, for a method that is guided.
        examples: of how many images to keep the nearest crossing as a picture.
        context: where the search runs; random choices are drawn from its seed, the image's id and the goal.

    Returns:
        "distances", "queries", "outcomes" and "snapshots.N", each [n num_classes], as in `Distances`; with examples,
        "example_points" [examples c h w] too: the nearest crossings of the first images, NaN where none.

    Raises:
        BudgetExhausted: the ledger allows no more.
        TeacherError: the teacher failed for good.

    Cost: at most `measurement.queries` for each image and other class.
    """
    check_arguments(measure_shard, locals())
    spec, method, device = oracle.spec, measurement.method, find_device(context.device)
    pixels, own = images.images().to(device), decisions.to(device)
    pairs = Pairs.every_other_class(pixels, images.ids, own, num_classes=spec.num_classes, seed=context.seed)
    answer = interrogate(
        oracle,
        method.search(pairs, exemplars, spec, guide),
        queries_per_pair=measurement.queries,
        snapshots=measurement.snapshots,
        share_leftovers=method.guided,
    )
    rows, columns = pairs.image_of.cpu(), pairs.goals.classes.cpu()

    def table(values: Tensor, empty: float | int) -> Tensor:
        values = values.cpu()
        filled = values.new_full((len(images), spec.num_classes), empty)
        filled[rows, columns] = values
        return filled

    found = answer.crossings
    tables = {
        "distances": table(found.distances, torch.inf),
        "queries": table(found.queries, 0),
        "outcomes": table(found.outcomes, OWN_CLASS),
    }
    tables |= {f"{_SNAPSHOT}{count}": table(kept, torch.inf) for count, kept in answer.snapshots.items()}
    if examples:
        tables["example_points"] = _nearest_points(found, pairs, min(examples, len(images)))
    return tables


def _nearest_points(found: Crossings, pairs: Pairs, count: int) -> Float[Tensor, "examples c h w"]:
    points = torch.full((count, *found.points.shape[1:]), torch.nan)
    for image in range(count):
        rows = (pairs.image_of == image).nonzero()[:, 0]
        if len(rows):
            points[image] = found.points[rows[found.distances[rows].argmin()]].cpu()
    return points
