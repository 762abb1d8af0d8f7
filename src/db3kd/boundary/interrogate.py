"""The driver: lets a search ask an oracle until no row can or may go on.

It owns what all searches have in common: the budget of each row, full calls out of rows in whatever phase, and
the snapshots. Budgets over all rows are the ledger's; batches and retries are the oracle's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from db3kd.arguments import check_arguments
from db3kd.boundary.crossing import Crossings, Outcome
from db3kd.boundary.search import Search
from db3kd.teachers import Teacher
from db3kd.tensors import Float, Int, Tensor


@dataclass(frozen=True)
class Interrogation:
    """The best crossing of each row at the end, and the distances that the rows had when they passed query counts."""

    crossings: Crossings
    snapshots: Mapping[int, Float[Tensor, " k"]]


def interrogate(
    oracle: Teacher,
    search: Search,
    *,
    queries_per_pair: int,
    snapshots: Sequence[int] = (),
    share_leftovers: bool = False,
    probes_per_turn: int = 8192,
) -> Interrogation:
    """Run a search to its end.

    Args:
        oracle: is asked; an `Oracle`, or something that remembers its answers.
        search: is used up.
        queries_per_pair: most queries of one row; with leftovers shared, of an image's rows on average.
        snapshots: query counts at which the distances are kept, without a query more.
        share_leftovers: spend what the rows of an image left over when they ended on its nearest other row, whose
            distance weighs most in a soft label.
        probes_per_turn: about how many points to take from the search at once: enough for many calls side by side. No
            result depends on it, but the order of the questions does, by which a journal is replayed.

    Returns:
        The best crossings, and the distances at the snapshots.

    Raises:
        BudgetExhausted: the ledger allows no more; what the oracle was told can be replayed.
        TeacherError: the teacher failed for good.

    Cost: at most `queries_per_pair` for each row.
    """
    check_arguments(interrogate, locals())
    kept: dict[int, Tensor] = {count: torch.full_like(search.best.distances, torch.nan) for count in snapshots}
    spent = torch.zeros_like(search.pairs.image_of)
    allowed = torch.full_like(spent, queries_per_pair)
    # Each turn spends at least one query of a finite budget, so these loops end.
    while True:
        while len((probes := search.propose(allowed - spent, probes_per_turn)).rows):
            asked = torch.bincount(probes.rows, minlength=len(spent))
            _keep_passed(kept, spent + asked, search.best.distances)
            search.observe(oracle(probes.points))
            spent = spent + asked
        handed_on = _hand_on(search, allowed, spent) if share_leftovers else allowed
        if torch.equal(handed_on, allowed):
            break
        allowed = handed_on
    _keep_passed(kept, torch.full_like(spent, torch.iinfo(spent.dtype).max), search.best.distances)
    points = search.best.points.unflatten(1, search.pairs.images.shape[1:]).clone()
    return Interrogation(Crossings(points, search.best.distances.clone(), spent, search.outcomes()), kept)


def _hand_on(search: Search, allowed: Int[Tensor, " k"], spent: Int[Tensor, " k"]) -> Int[Tensor, " k"]:
    """Give what rows left over to the nearest row of their image that would go on; the same where there is none."""
    image_of, going = search.pairs.image_of, search.outcomes() == Outcome.BUDGET
    distances = search.best.distances.where(going, torch.inf)
    nearest = distances.new_full((len(search.pairs.images),), torch.inf)
    nearest = nearest.scatter_reduce(0, image_of, distances, "amin")
    receiving = (going & (distances == nearest[image_of]) & distances.isfinite()).nonzero()[:, 0]
    # Of two that are as near as each other, the last one.
    receiver = torch.full_like(nearest, -1, dtype=image_of.dtype)
    receiver = receiver.scatter_reduce(0, image_of[receiving], receiving, "amax")
    giving = (~going & (receiver[image_of] >= 0)).nonzero()[:, 0]
    left = (allowed - spent)[giving]
    handed_on = allowed.clone()
    handed_on[giving] -= left
    return handed_on.index_add(0, receiver[image_of[giving]], left)


def _keep_passed(
    kept: dict[int, Float[Tensor, " k"]], counts: Int[Tensor, " k"], distances: Float[Tensor, " k"]
) -> None:
    """Freeze the distance of each row whose count is about to pass a snapshot's."""
    for count, snapshot in kept.items():
        passing = (counts > count) & snapshot.isnan()
        snapshot[passing] = distances[passing]
