"""Images whose decisions are known: where targeted searches start from.

A pool holds what the *teacher* put in each class, not what a data set says, so that every exemplar is across
for certain. The decisions were charged when they were asked; choosing among them costs nothing.
"""

from typing import Protocol, runtime_checkable

import torch

from db3kd.boundary.goal import Goals, Pairs
from db3kd.tensors import Float, Int, Tensor

_SHORTLIST = 8
_POOL_ROWS = 8192
_STRIDE = 1_000_003


@runtime_checkable
class ImageSource(Protocol):
    """Anything that gives images by their row, as `Dataset` does."""

    def __len__(self) -> int:
        """Tell how many there are."""
        ...

    def images(self, rows: Int[Tensor, " b"] | None = None) -> Float[Tensor, "b c h w"]:
        """Give the images of these rows, or all of them."""
        ...


class ExemplarPool:
    """Images sorted by the teacher's decision.

    Args:
        source: the images.
        decisions: the teacher's decision for each of them.
        num_classes: number of classes that there are, whether they show up or not.
    """

    def __init__(self, source: ImageSource, decisions: Int[Tensor, " p"], *, num_classes: int) -> None:
        self._source = source
        self._order = torch.argsort(decisions, stable=True)
        self._counts = torch.bincount(decisions, minlength=num_classes)
        self._starts = self._counts.cumsum(0) - self._counts
        self._num_classes = num_classes

    def images(self, rows: Int[Tensor, " b"]) -> Float[Tensor, "b d"]:
        """Give exemplars, flattened."""
        return self._source.images(rows).flatten(1)

    def nearest(self, pairs: Pairs, count: int) -> Int[Tensor, "k m"]:
        """Choose the exemplars nearest in L2, exactly over the whole pool.

        Distances by matrix product make a shortlist; the shortlist is measured directly, so that neither
        cancellation nor the size of the batch decides between two exemplars.

        Args:
            pairs: the rows to choose for.
            count: exemplars per row.

        Returns:
            Rows of the pool from near to far, -1 where the class has no more.

        Source: sample distance, Wang (2021), section 3.2; the reference implementation looks at 21 random images.
        """
        shortlist = min(count + _SHORTLIST, int(self._counts.max()))
        by_class = self._nearest_of_each_class(pairs.images.flatten(1), shortlist)
        candidates = self._of_goals(by_class, pairs)
        near = torch.cat([self._nearest_first(pairs, rows, candidates) for rows in _chunks(len(pairs), 1024)])
        return near[:, :count]

    def random(self, pairs: Pairs, count: int) -> Int[Tensor, "k m"]:
        """Choose the nearest exemplar and then random ones of the wanted class, none twice.

        Args:
            pairs: the rows to choose for; their keys decide.
            count: exemplars per row.

        Returns:
            Rows of the pool, -1 where the class has no more.

        Source: boundary distance, Wang (2021), section 3.2: random images of the target class. The nearest comes first
            here, so that the boundary distance is never above the sample distance.
        """
        sizes, starts = self._sections(pairs.goals)
        drawn = torch.arange(count - 1, device=sizes.device)
        first = pairs.keys % sizes.clamp(min=1)
        # A stride that shares no factor with the size visits every exemplar before it comes back.
        stride = torch.where(sizes % _STRIDE == 0, torch.ones_like(sizes), torch.full_like(sizes, _STRIDE))
        within = (first[:, None] + drawn * stride[:, None]) % sizes.clamp(min=1)[:, None]
        places = (starts[:, None] + within) % len(self._order)
        others = torch.where(drawn < sizes[:, None], self._order[places], -1)
        nearest = self.nearest(pairs, 1)
        others = torch.where(others == nearest, -1, others)
        missing_last = (others < 0).to(torch.uint8).argsort(dim=1, stable=True)
        return torch.cat([nearest, others.gather(1, missing_last)], dim=1)

    def _sections(self, goals: Goals) -> tuple[Int[Tensor, " k"], Int[Tensor, " k"]]:
        """Size and start of what each row may draw from, in a circle through the classes."""
        size, start = self._counts[goals.classes], self._starts[goals.classes]
        others = len(self._order) - size
        return torch.where(goals.reaching, size, others), torch.where(goals.reaching, start, start + size)

    def _nearest_of_each_class(self, images: Float[Tensor, "n d"], shortlist: int) -> Int[Tensor, "n num_classes m"]:
        """For each image and class, the pool rows with the smallest approximate distance; -1 where there are fewer."""
        near = self._order.new_full((len(images), self._num_classes, shortlist), -1)
        for section in range(self._num_classes):
            start, size = int(self._starts[section]), int(self._counts[section])
            members = self._order[start : start + size]
            distances = torch.cat(
                [_squared_distances(images, self.images(part)) for part in members.split(_POOL_ROWS)], dim=1
            )
            taken = min(shortlist, size)
            near[:, section, :taken] = members[distances.topk(taken, dim=1, largest=False).indices]
        return near

    def _of_goals(self, by_class: Int[Tensor, "n num_classes m"], pairs: Pairs) -> Int[Tensor, "k candidates"]:
        """The shortlists that each row may use: that of its target, or those of all classes but its own."""
        goals = pairs.goals
        if bool(goals.reaching.all()):
            return by_class[pairs.image_of, goals.classes]
        classes = torch.arange(self._num_classes, device=by_class.device)
        allowed = (classes == goals.classes[:, None]) == goals.reaching[:, None]
        return torch.where(allowed[:, :, None], by_class[pairs.image_of], -1).flatten(1)

    def _nearest_first(
        self, pairs: Pairs, rows: Int[Tensor, " r"], candidates: Int[Tensor, "k candidates"]
    ) -> Int[Tensor, "r candidates"]:
        """Sort the candidates of these rows by their measured distance, the missing ones last."""
        own = candidates[rows]
        images = pairs.images.flatten(1)[pairs.image_of[rows]]
        distances = torch.stack(
            [torch.linalg.vector_norm(self.images(column.clamp(min=0)) - images, dim=1) for column in own.T], dim=1
        )
        distances[own < 0] = torch.inf
        return own.gather(1, distances.argsort(dim=1, stable=True))


def _squared_distances(a: Float[Tensor, "n d"], b: Float[Tensor, "p d"]) -> Float[Tensor, "n p"]:
    """Approximate, by one matrix product."""
    return (b * b).sum(1) - 2 * (a @ b.T)


def _chunks(total: int, size: int) -> tuple[Int[Tensor, " r"], ...]:
    """The numbers from 0 to total - 1 in chunks."""
    chunks: tuple[Int[Tensor, " r"], ...] = torch.arange(total).split(size)
    return chunks
