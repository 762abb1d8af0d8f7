"""Rounds: how a budget is divided, and what is asked in each.

A round looks at all answers so far and at a committee that has learned them, has a pool make very many candidates at no
query, and lets an acquisition choose among them.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import torch
from annotated_types import Ge, Interval
from torch import nn

from db3kd.acquisition.acquisition import Acquisition
from db3kd.acquisition.disagreement import beliefs
from db3kd.answers import Answers, Candidates, is_fresh, together
from db3kd.context import HERE, Context
from db3kd.errors import PlanError
from db3kd.options import check_options
from db3kd.pools import Pool, push_some, supply
from db3kd.tensors import Bool, Tensor

_OPENING_STEPS = 4
_MOST_ASIDE = 1000
_MOST_BYTES = 512 * 2**20
# So many candidates for each query there are at any rate, however large the images.
_LEAST_CANDIDATES = 2


@dataclass(frozen=True)
class Rounds:
    """How a budget is divided, and how candidates are made.

    Args:
        opening: the share of the budget that is asked before there is a committee; 1 for no round after it.
        number: rounds with a committee after that; 0 asks all at once, which needs an opening of 1.
        between: the share of each round's queries that goes to images between two others.
        halvings: probes for each such pair.
        candidates: made for each query of a round; of a pool that has a size, all images are looked at.
        pushed: whether the committee's gradients make candidates as well, where the pool makes children.
        aside_every: one of so many answers is set aside, at most 1,000 in all; 0 for none.
        patience: the rounds end early where so many in a row surely gained too little; 0 never ends them.
        least_gain: a gain in agreement below it, a standard error included, is too little; a fraction of 1.
    """

    opening: Annotated[float, Interval(gt=0, le=1)] = 0.2
    number: Annotated[int, Ge(0)] = 4
    between: Annotated[float, Interval(ge=0, le=1)] = 0.1
    halvings: Annotated[int, Ge(1)] = 4
    candidates: Annotated[int, Ge(1)] = 16
    pushed: bool = True
    aside_every: Annotated[int, Ge(0)] = 20
    patience: Annotated[int, Ge(0)] = 2
    least_gain: Annotated[float, Interval(ge=0, le=1)] = 0.01

    def __post_init__(self) -> None:
        check_options(self)
        if self.opening < 1 and not self.number:
            raise PlanError(
                f"number must be at least 1 where an opening of {self.opening} leaves something, got 0; nothing was "
                "done: set opening to 1 to ask all at once"
            )

    @classmethod
    def once(cls) -> "Rounds":
        """Give the rounds that ask all at once, and set nothing aside."""
        return cls(opening=1.0, number=0, between=0.0, aside_every=0)

    def sizes(self, budget: int) -> tuple[int, ...]:
        """Divide a budget into steps, none of them empty: the opening's double what is known, then the rounds."""
        if self.opening == 1 and not self.number:
            return (budget,) if budget > 0 else ()
        opening = max(1, round(self.opening * budget))
        # Rounds grow with what is known already: each adds the same part of it.
        growth = (1 / self.opening) ** (1 / max(1, self.number))
        marks = [max(1, opening >> step) for step in reversed(range(_OPENING_STEPS))]
        marks += [round(opening * growth ** (step + 1)) for step in range(self.number)]
        ends = [min(budget, mark) for mark in marks[:-1]] + [budget]
        sizes = [end - start for start, end in zip([0, *ends[:-1]], ends, strict=True)]
        return tuple(size for size in sizes if size > 0)

    def pairs(self, size: int) -> int:
        """Tell how many boundary pairs a round of so many queries bisects."""
        return round(self.between * size) // self.halvings


def propose(
    pool: Pool,
    answers: Answers,
    members: Sequence[nn.Module],
    count: int,
    *,
    rounds: Rounds,
    acquisition: Acquisition,
    generator: torch.Generator,
    context: Context = HERE,
) -> Candidates:
    """Choose what to ask next.

    Args:
        pool: offers candidates.
        answers: so far.
        members: networks that have learned them, two at least to disagree; none while a run is opened.
        count: how many to choose.
        rounds: how candidates are made.
        acquisition: chooses. One that looks at a committee has no choice while there is none: the pool then draws.
        generator: of all choices, another one for each step.
        context: where the members run.

    Returns:
        What to ask about, the best first; fewer where the pool runs out.

    Cost: no query; a pass of each member for each candidate.
    """
    if acquisition.committee and not members:
        return pool.draw(count, answers, generator)
    # No more than fit into memory all at once.
    bytes_per_image = math.prod(answers.images.image_shape) * answers.images.pixels.element_size()
    wanted = rounds.candidates * count if pool.size is None else pool.size
    wanted = min(wanted, max(_MOST_BYTES // bytes_per_image, _LEAST_CANDIDATES * count))
    candidates = supply(pool, answers, wanted, generator)
    if not len(candidates):
        return candidates
    pushing = rounds.pushed and pool.children > 0
    believed = torch.zeros(0, len(candidates), answers.num_classes)
    if members and (pushing or acquisition.committee):
        believed = beliefs(members, candidates.pixels, context)
    if members and pushing:
        pushed = push_some(members, candidates, believed, generator, context=context)
        candidates = together([candidates, pushed])
        believed = torch.cat([believed, beliefs(members, pushed.pixels, context)], dim=1)
    believed = believed if acquisition.committee else believed[:0]
    return candidates.take(acquisition.choose(candidates, believed, answers, count, generator))


def set_aside(fresh_before: int, origins: Sequence[str], every: int) -> Bool[Tensor, " n"]:
    """Mark the answers that no training may see: every so many-th fresh one of a whole run, at most 1,000; 0 for none.

    A child of an image that is learned from would be no fair test, so that children and mixtures are left out.
    """
    fresh = torch.tensor([is_fresh(origin) for origin in origins], dtype=torch.bool)
    if not every:
        return torch.zeros_like(fresh)
    order = fresh_before + fresh.cumsum(0)
    return fresh & (order % every == 0) & (order <= every * _MOST_ASIDE)


def count_fresh(answers: Answers) -> int:
    """Count the answers about images that are no children of others."""
    names, codes = answers.coded
    return int(torch.tensor([is_fresh(name) for name in names], dtype=torch.bool)[codes].sum())
