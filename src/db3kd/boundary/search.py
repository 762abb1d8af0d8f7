"""What a search is: it proposes points, is told the decisions, and never holds the oracle.

So a new search is one small file, testable without a teacher. The driver (`interrogate`) owns what all
searches have in common: budgets, batches, snapshots.
"""

from typing import NamedTuple, Protocol, runtime_checkable

import torch

from db3kd.boundary.crossing import BestCrossings
from db3kd.boundary.goal import Pairs
from db3kd.tensors import Float, Int, Tensor


class Probes(NamedTuple):
    """Points that a search wants decided.

    Args:
        rows: the row that asks for each point; a row may ask for several at once.
        points: the points, within the teacher's bounds and on its levels.
    """

    rows: Int[Tensor, " b"]
    points: Float[Tensor, "b c h w"]


@runtime_checkable
class Search(Protocol):
    """Proposes and observes, in turns, for k rows that know nothing of each other."""

    pairs: Pairs
    best: BestCrossings

    def propose(self, remaining: Int[Tensor, " k"], limit: int) -> Probes:
        """Say what to ask next.

        Args:
            remaining: queries that each row may still ask; no row asks for more.
            limit: about how many probes to ask for at once.

        Returns:
            Probes of rows in whatever phase; none where no row can go on.
        """
        ...

    def observe(self, decisions: Int[Tensor, " b"]) -> None:
        """Take the decisions of the probes that were proposed last."""
        ...

    def outcomes(self) -> Int[Tensor, " k"]:
        """Tell how each row ended; `Outcome.BUDGET` for a row that would go on if it could."""
        ...


class Turn:
    """Chooses which rows ask next: those that may, in a circle, until the limit is reached.

    Every row gets its turn, so that all rows of a search end at about the same time and calls stay full.
    """

    def __init__(self) -> None:
        self._start = 0

    def take(
        self, wants: Int[Tensor, " k"], remaining: Int[Tensor, " k"], limit: int
    ) -> tuple[Int[Tensor, " r"], Int[Tensor, " r"]]:
        """Choose rows.

        Args:
            wants: probes that each row could use now, 0 where it is done.
            remaining: queries that each row may still ask.
            limit: most probes to take, though one row at least is taken.

        Returns:
            The rows, each once, and how many probes each of them gets.
        """
        counts = torch.minimum(wants, remaining)
        rows: Int[Tensor, " r"] = counts.nonzero()[:, 0]
        counts = counts[rows]
        if int(counts.sum()) <= limit:
            self._start = 0
            return rows, counts
        first = int(torch.searchsorted(rows, self._start))
        rows, counts = rows.roll(-first), counts.roll(-first)
        taken = max(1, int(torch.searchsorted(counts.cumsum(0), limit, right=True)))
        rows, counts = rows[:taken], counts[:taken].clamp(max=limit)
        self._start = int(rows[-1]) + 1
        return rows, counts


class ImageTurn:
    """Chooses whose rows ask next, all rows of an image in the same turn.

    So that rows may learn from their image's other rows, and what they learn depends on nothing outside of the image.

    Args:
        pairs: the rows.
    """

    def __init__(self, pairs: Pairs) -> None:
        self._order = pairs.image_of.argsort(stable=True)
        self._image_of = pairs.image_of
        self._start = 0

    def take(
        self, wants: Int[Tensor, " k"], remaining: Int[Tensor, " k"], limit: int
    ) -> tuple[Int[Tensor, " r"], Int[Tensor, " r"]]:
        """Choose rows; see `Turn`. The limit is passed where one image alone wants more."""
        counts = torch.minimum(wants, remaining)
        rows = self._order[counts[self._order] > 0]
        if int(counts.sum()) <= limit:
            self._start = 0
            return rows, counts[rows]
        images = self._image_of[rows]
        first = int(torch.searchsorted(images, self._start))
        rows, images = rows.roll(-first), images.roll(-first)
        taken = int(torch.searchsorted(counts[rows].cumsum(0), limit, right=True))
        ends = (images[1:] != images[:-1]).nonzero()[:, 0] + 1
        whole = ends[ends <= taken]
        taken = int(whole[-1]) if len(whole) else int(ends[0]) if len(ends) else len(rows)
        self._start = int(images[taken - 1]) + 1
        return rows[:taken], counts[rows[:taken]]


def none_left(pairs: Pairs) -> Probes:
    """What a search proposes when no row can go on."""
    rows = pairs.image_of.new_empty(0)
    return Probes(rows, pairs.images[:0])
