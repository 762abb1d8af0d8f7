"""Images whose decisions are known: where targeted searches start from.

A pool holds what the *teacher* put in each class, not what a data set says, so that every exemplar is across
for certain. The decisions were charged when they were asked; choosing among them costs nothing.
"""

from typing import Protocol, runtime_checkable

import torch

from db3kd.arguments import check_arguments
from db3kd.boundary.goal import Goals, Pairs
from db3kd.tensors import Float, Int, Tensor

_SHORTLIST = 8
_POOL_ROWS = 8192
_STRIDE = 1_000_003


@runtime_checkable
class ImageSource(Protocol):
    """Anything that gives images by their row, as `Dataset` does."""

    def images(self, rows: Int[Tensor, " b"] | slice | None = None) -> Float[Tensor, "b c h w"]:
        """Give the images of these rows, or all of them."""

    def subset(self, rows: Int[Tensor, " b"]) -> "ImageSource":
        """Give a source of these images alone, in this order."""


@runtime_checkable
class Exemplars(Protocol):
    """Images that are known to be across, for searches to start from, as `ExemplarPool` has them."""

    def __len__(self) -> int:
        """Number of exemplars."""

    def images(self, rows: Int[Tensor, " b"]) -> Float[Tensor, "b d"]:
        """Give exemplars, flattened, on the device of the rows."""

    def nearest(self, pairs: Pairs, count: int) -> Int[Tensor, "k m"]:
        """Choose so many for each row of a search, from near to far: exemplars' rows, -1 where there is no more."""

    def random(self, pairs: Pairs, count: int) -> Int[Tensor, "k m"]:
        """Choose the nearest for each row, and then any."""


class ExemplarPool:
    """Images sorted by the teacher's decision; a row of the pool is a place in that order."""

    def __init__(self, source: ImageSource, decisions: Int[Tensor, " p"], *, num_classes: int) -> None:
        check_arguments(ExemplarPool.__init__, locals())
        decisions = decisions.cpu()
        # A class is one slice of the sorted images, which is converted to floats faster than scattered rows.
        self._sorted = source.subset(torch.argsort(decisions, stable=True))
        self._counts = torch.bincount(decisions, minlength=num_classes)
        self._starts = self._counts.cumsum(0) - self._counts
        self._total, self._num_classes = len(decisions), num_classes
        parts = [(self._flat(part) ** 2).sum(dim=1) for part in _slices(0, self._total, _POOL_ROWS)]
        self._squares = torch.cat(parts) if parts else torch.zeros(0)

    def __len__(self) -> int:
        return self._total

    def images(self, rows: Int[Tensor, " b"]) -> Float[Tensor, "b d"]:
        """Give exemplars, flattened, on the device of the rows."""
        return self._sorted.images(rows.cpu()).flatten(1).to(rows.device)

    def nearest(self, pairs: Pairs, count: int) -> Int[Tensor, "k m"]:
        """Choose the exemplars nearest in L2, exactly over the whole pool; see `Exemplars`."""
        # Distances by matrix product make a shortlist, which is measured directly, so that neither cancellation nor the
        # size of the batch decides between two exemplars.
        shortlist = min(count + _SHORTLIST, int(self._counts.max()))
        by_class = self._nearest_of_each_class(pairs.images.flatten(1), shortlist)
        candidates = self._of_goals(by_class, pairs)
        chunks = torch.arange(len(pairs)).split(1024)
        return torch.cat([self._nearest_first(pairs, rows, candidates) for rows in chunks])[:, :count]

    def random(self, pairs: Pairs, count: int) -> Int[Tensor, "k m"]:
        """Choose the nearest exemplar and then random ones of the wanted class by the rows' keys, none twice.

        Source: Wang (2021), section 3.2. The nearest is ours: so no boundary distance is above the sample distance.
        """
        sizes, starts = self._sections(pairs.goals)
        drawn = torch.arange(count - 1, device=sizes.device)
        first = pairs.keys % sizes.clamp(min=1)
        # A stride that shares no factor with the size visits every exemplar before it comes back.
        stride = torch.where(sizes % _STRIDE == 0, torch.ones_like(sizes), torch.full_like(sizes, _STRIDE))
        within = (first[:, None] + drawn * stride[:, None]) % sizes.clamp(min=1)[:, None]
        places = (starts[:, None] + within) % self._total
        others = torch.where(drawn < sizes[:, None], places, -1)
        nearest = self.nearest(pairs, 1)
        others = torch.where(others == nearest, -1, others)
        missing_last = (others < 0).to(torch.uint8).argsort(dim=1, stable=True)
        return torch.cat([nearest, others.gather(1, missing_last)], dim=1)

    def _sections(self, goals: Goals) -> tuple[Int[Tensor, " k"], Int[Tensor, " k"]]:
        """Size and start of what each row may draw from, in a circle through the classes."""
        classes = goals.classes.cpu()
        size, start = self._counts[classes], self._starts[classes]
        reaching = goals.reaching.cpu()
        sizes = torch.where(reaching, size, self._total - size)
        starts = torch.where(reaching, start, start + size)
        return sizes.to(goals.classes.device), starts.to(goals.classes.device)

    def _nearest_of_each_class(self, images: Float[Tensor, "n d"], shortlist: int) -> Int[Tensor, "n num_classes m"]:
        """For each image and class, the pool rows with the smallest approximate distance; -1 where there are fewer."""
        near = torch.full((len(images), self._num_classes, shortlist), -1, device=images.device)
        for number in range(self._num_classes):
            start, size = int(self._starts[number]), int(self._counts[number])
            if not size:
                continue
            parts = [
                # Without the image's own square, which is the same for all exemplars.
                torch.addmm(
                    self._squares[part].to(images.device), images, self._flat(part).to(images.device).T, alpha=-2
                )
                for part in _slices(start, start + size, _POOL_ROWS)
            ]
            distances = torch.cat(parts, dim=1)
            taken = min(shortlist, size)
            near[:, number, :taken] = start + distances.topk(taken, dim=1, largest=False).indices
        return near

    def _flat(self, part: slice) -> Float[Tensor, "p d"]:
        return self._sorted.images(part).flatten(1)

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


def _slices(start: int, end: int, size: int) -> list[slice]:
    """A stretch of rows in pieces."""
    return [slice(first, min(first + size, end)) for first in range(start, end, size)]
