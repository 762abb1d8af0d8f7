"""What a search is, and the options that make one: it proposes points, is told the decisions, and never asks itself.

So a new search is one small file with both, testable without a teacher. The driver (`interrogate`) owns what all
searches have in common: budgets, batches, snapshots. `Turn` is for searches with more to ask than a call should hold.
"""

from typing import NamedTuple, Protocol, runtime_checkable

import torch

from db3kd.boundary.crossing import BestCrossings
from db3kd.boundary.exemplars import Exemplars
from db3kd.boundary.goal import Pairs
from db3kd.boundary.guide import Guide
from db3kd.teachers import TeacherSpec
from db3kd.tensors import Float, Int, Tensor


class Probes(NamedTuple):
    """Points that rows want decided, within the teacher's bounds and on its levels; a row may ask for several."""

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

    def observe(self, decisions: Int[Tensor, " b"]) -> None:
        """Take the decisions of the probes that were proposed last."""

    def outcomes(self) -> Int[Tensor, " k"]:
        """Tell how each row ended; `Outcome.BUDGET` for a row that would go on if it could."""


@runtime_checkable
class Method(Protocol):
    """The options of a kind of search, as a frozen dataclass; one value serves all shards of a run.

    Whoever adds one gives it a row in `db3kd.names.SEARCHES`.
    """

    @property
    def name(self) -> str:
        """The short name that tables and plans use."""

    @property
    def most_queries(self) -> int | None:
        """Most queries that one row can use, or None where it could always use more."""

    @property
    def usual_queries(self) -> int:
        """Queries of one row where nobody says how many."""

    @property
    def guided(self) -> bool:
        """Whether it makes use of a committee, and the rows of an image share their answers and their queries."""

    def search(self, pairs: Pairs, exemplars: Exemplars, spec: TeacherSpec, guide: Guide | None = None) -> Search:
        """Make the search for these pairs.

        Args:
            pairs: the rows.
            exemplars: to start from.
            spec: the teacher's bounds and levels.
            guide: a committee; looked at where the method is guided.

        Returns:
            One that has asked nothing yet.
        """


def none_left(pairs: Pairs) -> Probes:
    """What a search proposes when no row can go on."""
    rows = pairs.image_of.new_empty(0)
    return Probes(rows, pairs.images[:0])


class Turn:
    """Chooses the rows that ask next, in a circle, those of a group together, so that all end at about the same time.

    Where groups are images, rows may learn from each other, and what they learn depends on no other image.
    """

    def __init__(self, group_of: Int[Tensor, " k"]) -> None:
        self._order = group_of.argsort(stable=True)
        self._group_of = group_of
        self._start = 0

    def take(
        self, wants: Int[Tensor, " k"], remaining: Int[Tensor, " k"], limit: int
    ) -> tuple[Int[Tensor, " r"], Int[Tensor, " r"]]:
        """Choose rows, and how many probes each gets: what it wants and may; one group alone may pass the limit."""
        counts = torch.minimum(wants, remaining)
        rows = self._order[counts[self._order] > 0]
        if int(counts.sum()) <= limit:
            self._start = 0
            return rows, counts[rows]
        groups = self._group_of[rows]
        first = int(torch.searchsorted(groups, self._start))
        rows, groups = rows.roll(-first), groups.roll(-first)
        taken = int(torch.searchsorted(counts[rows].cumsum(0), limit, right=True))
        ends = (groups[1:] != groups[:-1]).nonzero()[:, 0] + 1
        whole = ends[ends <= taken]
        taken = int(whole[-1]) if len(whole) else int(ends[0]) if len(ends) else len(rows)
        self._start = int(groups[taken - 1]) + 1
        return rows[:taken], counts[rows[:taken]]
