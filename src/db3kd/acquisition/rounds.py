"""Rounds: how a budget is divided, and what is asked in each.

A round looks at all answers so far and at a committee that has learned them, has a pool make very many candidates at no
query, and lets an acquisition choose among them.
"""

import itertools
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from annotated_types import Ge, Interval

from db3kd.acquisition.acquisition import Acquisition
from db3kd.acquisition.choosers import Choosers
from db3kd.answers import Answers, Candidates, is_fresh, together
from db3kd.arguments import check_arguments, checked_options
from db3kd.augmentation import affordable
from db3kd.errors import PlanError
from db3kd.evaluation import interval
from db3kd.pools import Pool, push_some, supply
from db3kd.pools.pool import most_looked_at
from db3kd.tensors import Bool, Tensor

_OPENING_STEPS = 4
# A network with batch norm learns from two images or more.
_LEAST_OPENING = 2
# A round makes at most so much of what is known: a fifth grows to the whole in three rounds.
_GROWTH = 1.75
_MOST_ASIDE, _LEAST_ASIDE = 1000, 20
# One of so many questions is set aside, if the target takes that.
_MOST_FOR_TARGET = 4
# More is set aside later where no more than one of so many images of the pool was chosen.
_FAIR = 20

Way = Literal["aside", "lot", "spread", "views", "chosen"]


@dataclass(frozen=True)
class Step:
    """A part of the questions, and how it is chosen.

    Args:
        way: "aside" is drawn at random and set aside, "lot" drawn at random, "spread" stands for groups of images that
            look alike, "views" are transformed images, "chosen" is what the acquisition chooses.
        size: questions.
    """

    way: Way
    size: int


@checked_options
class Rounds:
    """How a budget is divided, and how candidates are made.

    Args:
        opening: the share of the budget that is asked before there is a committee; 1 for no round after it.
        number: rounds with a committee after that, 4 where the pool has no end; 0 asks all at once, which needs an
            opening of 1. Of a pool that has a size, as many as it takes where each adds up to three quarters of what is
            known: that is None in Python.
        between: the share of each round's queries that goes to images between two others.
        halvings: probes for each such pair.
        candidates: made for each query of a round; of a pool that has a size, all images are looked at,
            or so many that they fit into 512 MiB.
        pushed: whether the committee's gradients make candidates as well, where the pool makes children.
        opening_at_most: most questions of the opening, whatever its share: without a limit where the pool has no end,
            and 2,000 of a pool that has a size.
        views: the share of the budget that goes to transformed images, to see what the teacher minds; of a pool that
            has a size.
        aside_every: one of so many answers is set aside, at most 1,000 in all; 0 for none. Of a pool that has a size
            they are drawn at random before anything is chosen, at least 20 where that is no more than a tenth, and as
            many as could show the target where that is no more than a quarter.
        trusted_from: a committee that agrees with fewer of the answers set aside chooses nothing, and the round is
            drawn without it; of a pool that has a size. A fraction of 1, two of three by default; 0 to let every
            committee choose.
        patience: the rounds end early where so many in a row surely gained too little; 0 never ends them.
        least_gain: a gain in agreement below it, a standard error included, is too little; a fraction of 1.
        target_agreement: the rounds end where the committee surely agrees with the teacher so often: the lower end of
            the interval of 95% on the answers set aside; a fraction of 1. None for no such end.
    """

    opening: Annotated[float, Interval(gt=0, le=1)] = 0.2
    number: Annotated[int, Ge(0)] | None = 4
    between: Annotated[float, Interval(ge=0, le=1)] = 0.1
    halvings: Annotated[int, Ge(1)] = 4
    candidates: Annotated[int, Ge(1)] = 16
    pushed: bool = True
    opening_at_most: Annotated[int, Ge(1)] | None = None
    views: Annotated[float, Interval(ge=0, lt=1)] = 0.0
    aside_every: Annotated[int, Ge(0)] = 20
    trusted_from: Annotated[float, Interval(ge=0, le=1)] = 2 / 3
    patience: Annotated[int, Ge(0)] = 2
    least_gain: Annotated[float, Interval(ge=0, le=1)] = 0.01
    target_agreement: Annotated[float, Interval(gt=0, lt=1)] | None = None

    def __post_init__(self) -> None:
        if self.opening < 1 and self.number == 0:
            raise PlanError(
                f"number must be at least 1 where an opening of {self.opening} leaves something, got 0; nothing was "
                "done: set opening to 1 to ask all at once"
            )

    @classmethod
    def once(cls) -> "Rounds":
        """Give the rounds that ask all at once, and set nothing aside."""
        return cls(opening=1.0, number=0, between=0.0, aside_every=0)

    @classmethod
    def of_pool(cls) -> "Rounds":
        """Give the rounds that serve a pool of which only a part can be asked about, whatever the budget."""
        return cls(opening_at_most=2000, number=None, between=0.0, pushed=False, views=1 / 12)

    def steps(self, budget: int, *, size: int | None, channels: int) -> tuple[Step, ...]:
        """Divide a budget into steps, none of them empty.

        Of a pool that has a size, what is set aside comes first, then the opening, then transformed images, then
        the rounds. Where half of it can be asked about, there is nothing to choose, and all is drawn at random. Of an
        endless pool the opening is divided too: what earlier answers say changes what it draws.

        Args:
            budget: questions.
            size: of the pool; None for an endless one.
            channels: of its images.

        Returns:
            The steps in their order; they add up to the budget.
        """
        aside = views = 0
        if size is not None:
            aside = min(self.aside(budget), budget)
            views = min(affordable(round(self.views * budget), channels), budget - aside)
        opening = rest = budget - aside - views
        plenty = size is not None and 2 * budget >= size and self.target_agreement is None and self.number is None
        if not plenty and self.opening < 1:
            opening = min(rest, max(_LEAST_OPENING, round(self.opening * rest)), self.opening_at_most or rest)
        lots = [Step("lot", opening)]
        if size is None and self.number:
            marks = [max(1, opening >> step) for step in reversed(range(_OPENING_STEPS))]
            lots = [Step("lot", end - start) for start, end in itertools.pairwise([0, *marks])]
        rounds = self._grown("chosen", aside + opening + views, budget)
        return tuple(step for step in (Step("aside", aside), *lots, Step("views", views), *rounds) if step.size > 0)

    def further(
        self, known: Sequence[Step], budget: int, *, size: int | None, channels: int, by_lot: bool
    ) -> tuple[Step, ...]:
        """Divide what a budget adds to the steps that are known: rounds, and before them more of what a pool has.

        What is set aside later is drawn from what choosing left, which is easier. So nothing is where a twentieth of
        the pool was chosen.
        """
        sizes = Counter[Way]()
        for step in known:
            sizes[step.way] += step.size
        more = list[Step]()
        left = budget - sizes.total()
        if size is not None and left > 0:
            aside = self.aside(budget) if _FAIR * sizes["chosen"] <= size else 0
            aside = min(left, max(0, aside - sizes["aside"]))
            views = affordable(round(self.views * budget) - sizes["views"], channels)
            more = [Step("aside", aside), Step("views", min(left - aside, max(0, views)))]
        rounds = self._grown("lot" if by_lot else "chosen", sizes.total() + sum(step.size for step in more), budget)
        return tuple(step for step in (*more, *rounds) if step.size > 0)

    def _grown(self, way: Way, known: int, budget: int) -> list[Step]:
        """Divide what is left of a budget into rounds that each add the same part of what is known."""
        if not 0 < known < budget:
            return []
        number = self.number
        if number is None:
            number = math.ceil(math.log(budget / known) / math.log(_GROWTH))
        growth = (budget / known) ** (1 / max(1, number))
        ends = [known, *(round(known * growth ** (step + 1)) for step in range(number - 1)), budget]
        return [Step(way, end - start) for start, end in itertools.pairwise(ends)]

    def aside(self, budget: int) -> int:
        """Tell how many answers of a pool that has a size are set aside."""
        if not self.aside_every:
            return 0
        wanted = max(
            budget // self.aside_every,
            min(_LEAST_ASIDE, budget // 10),
            min(self.shows_target, budget // _MOST_FOR_TARGET),
        )
        return min(_MOST_ASIDE, wanted)

    @property
    def shows_target(self) -> int:
        """How many answers set aside would show the target, if the committee agreed with all of them."""
        if self.target_agreement is None:
            return 0
        return next(count for count in itertools.count(1) if interval(1.0, count)[0] >= self.target_agreement)

    def doubt(self, budget: int, *, size: int | None) -> str:
        """Say why a budget cannot show the target; nothing where it can."""
        # Of so many questions, one may be set aside.
        share = self.aside_every if size is None else _MOST_FOR_TARGET
        aside = self.aside(budget) if size is not None else min(_MOST_ASIDE, budget // share if share else 0)
        needed = self.shows_target
        if aside >= needed:
            return ""
        way_out = f"raise the budget to {share * needed:,} or more, or lower the target"
        if not self.aside_every:
            way_out = "let rounds.aside_every be 20"
        elif needed > _MOST_ASIDE:
            way_out = f"lower the target, since no more than {_MOST_ASIDE:,} answers are set aside"
        return (
            f"an agreement of {self.target_agreement:.1%} cannot be shown with {aside} answers set aside, even if the "
            f"committee agreed with all of them: it takes {needed:,}, so asking goes on to the end of {budget:,} "
            f"questions; {way_out}"
        )

    def pairs(self, size: int) -> int:
        """Tell how many boundary pairs a round of so many queries bisects."""
        return round(self.between * size) // self.halvings


def propose(
    pool: Pool,
    answers: Answers,
    choosers: Choosers,
    count: int,
    *,
    rounds: Rounds,
    acquisition: Acquisition,
    generator: torch.Generator,
) -> Candidates:
    """Choose what to ask next.

    Args:
        pool: offers candidates.
        answers: so far.
        choosers: networks that have learned them.
        count: how many to choose.
        rounds: how candidates are made.
        acquisition: chooses. One that looks at a committee has no choice while there is none: the pool then draws.
        generator: of all choices, another one for each step.

    Returns:
        What to ask about, the best first; fewer where the pool runs out.

    Cost: no query; a pass of each member for each candidate.
    """
    check_arguments(propose, locals())
    members, context = choosers.members, choosers.context
    if acquisition.committee and not members:
        return pool.draw(count, answers, generator)
    bytes_per_image = math.prod(answers.images.image_shape) * answers.images.pixels.element_size()
    wanted = rounds.candidates * count if pool.size is None else pool.size
    wanted = min(wanted, most_looked_at(bytes_per_image, count))
    candidates = supply(pool, answers, wanted, generator)
    if not len(candidates):
        return candidates
    pushing = rounds.pushed and pool.children > 0
    believed = torch.zeros(0, len(candidates), answers.num_classes)
    if members and (pushing or acquisition.committee):
        believed = choosers.beliefs(candidates.pixels)
    if members and pushing:
        pushed = push_some(members, candidates, believed, generator, context=context)
        candidates = together([candidates, pushed])
        believed = torch.cat([believed, choosers.beliefs(pushed.pixels)], dim=1)
    believed = believed if acquisition.committee else believed[:0]
    return candidates.take(acquisition.choose(candidates, believed, answers, count, generator))


def set_aside(fresh_before: int, origins: Sequence[str], every: int) -> Bool[Tensor, " n"]:
    """Mark the answers that no training may see: every so many-th fresh one of a whole run, at most 1,000; 0 for none.

    A child of an image that is learned from would be no fair test, so that children and mixtures are left out.
    """
    check_arguments(set_aside, locals())
    fresh = torch.tensor([is_fresh(origin) for origin in origins], dtype=torch.bool)
    if not every:
        return torch.zeros_like(fresh)
    order = fresh_before + fresh.cumsum(0)
    return fresh & (order % every == 0) & (order <= every * _MOST_ASIDE)


def count_fresh(answers: Answers) -> int:
    """Count the answers about images that are no children of others."""
    check_arguments(count_fresh, locals())
    return int(answers.marked(is_fresh).sum())
