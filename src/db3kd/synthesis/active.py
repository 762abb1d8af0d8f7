"""What to ask a teacher next, when there is no data: the rounds.

A round looks at all answers so far and at primers that have learned them, makes very many candidates at no query, and
chooses those whose answers are worth most. It never holds the oracle: it is given answers and gives questions. Called
by the pipeline, which asks, trains the primers, and remembers.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from db3kd.errors import PlanError
from db3kd.synthesis.answers import Answers, Questions, joined
from db3kd.synthesis.candidates import family_shares, fresh, supply
from db3kd.synthesis.choosing import balanced_choice, beliefs, disagreement, draw_lots, unlike
from db3kd.synthesis.pushing import push
from db3kd.tensors import Float, Int, Tensor

_SPARE = 1.5
_OPENING_STEPS = 4
_PUSHED_OF_CANDIDATES = 20
# Candidates that are looked at together.
_PART = 65_536


@dataclass(frozen=True)
class Rounds:
    """How a budget is divided, and how candidates are made.

    Args:
        opening: the share of the budget that is asked before there are primers, by the families' worth alone.
        number: rounds with primers after that.
        between: the share of each round's queries that goes to images between two others.
        halvings: probes for each such pair.
        candidates: made for each query of a round.
        children: the share of candidates that are made of answered images.
        pushed: whether the primers' gradients make candidates as well.

    Raises:
        PlanError: a value that no rounds can have; all of them are named.
    """

    opening: float = 0.2
    number: int = 4
    between: float = 0.1
    halvings: int = 4
    candidates: int = 16
    children: float = 0.5
    pushed: bool = True

    def __post_init__(self) -> None:
        faults = [
            f"{name} must be from 0 to 1, got {share}"
            for name, share in (("between", self.between), ("children", self.children))
            if not 0 <= share <= 1
        ]
        if not 0 < self.opening <= 1:
            faults.append(f"opening must be above 0 and at most 1, got {self.opening}")
        if self.opening < 1 and self.number < 1:
            faults.append(f"number must be at least 1 where the opening leaves something, got {self.number}")
        if self.halvings < 1 or self.candidates < 1:
            faults.append(f"halvings and candidates must be at least 1, got {self.halvings} and {self.candidates}")
        if faults:
            raise PlanError("rounds cannot be so: " + "; ".join(faults))

    def sizes(self, budget: int) -> tuple[int, ...]:
        """Divide a budget: the opening in steps that double what is known, the first of all families alike; the rounds.

        Args:
            budget: queries in all.

        Returns:
            The queries of each step, none of them empty, which sum to the budget.
        """
        opening = max(1, round(self.opening * budget))
        # Rounds grow with what is known already: each adds the same part of it.
        growth = (1 / self.opening) ** (1 / max(1, self.number))
        marks = [max(1, opening >> step) for step in reversed(range(_OPENING_STEPS))]
        marks += [round(opening * growth ** (step + 1)) for step in range(self.number)]
        ends = [min(budget, mark) for mark in marks[:-1]] + [budget]
        sizes = [end - start for start, end in zip([0, *ends[:-1]], ends, strict=True)]
        return tuple(size for size in sizes if size > 0)


def open_with(answers: Answers, count: int, *, seed: int) -> Questions:
    """Choose what to ask while there are no primers: fresh images, the families weighted by what they were worth.

    Args:
        answers: so far; without any, all families are equal.
        count: how many.
        seed: of all choices, another one for each step.

    Returns:
        The questions.

    Cost: no query.
    """
    generator = torch.Generator().manual_seed(seed)
    _, channels, height, width = answers.questions.pixels.shape
    shares = family_shares(answers)
    return fresh(count, (channels, height, width), shares, generator)


def choose(
    answers: Answers,
    primers: Sequence[nn.Module],
    count: int,
    *,
    rounds: Rounds,
    seed: int,
    device: str = "cpu",
) -> Questions:
    """Choose what to ask where there are primers.

    Args:
        answers: so far.
        primers: networks that have learned them, two at least to disagree.
        count: how many.
        rounds: how candidates are made.
        seed: of all choices, another one for each round.
        device: where the primers run.

    Returns:
        The questions, balanced over the classes that the primers expect, none of them a near-duplicate of what was
        asked where there are enough others.

    Cost: no query; a pass of each primer for each candidate.
    """
    generator = torch.Generator().manual_seed(seed)
    spare = round(_SPARE * count)
    preferred, classes, lots = (
        answers.questions.take(torch.arange(0)),
        torch.zeros(0, dtype=torch.int64),
        torch.zeros(0),
    )
    # All candidates at once would be sixteen times the memory of what is asked.
    for part in torch.arange(rounds.candidates * count).split(_PART):
        made, expected = _propose(answers, primers, len(part), rounds, generator, device=device)
        preferred = joined([preferred, made])
        classes = torch.cat([classes, expected.mean(dim=0).argmax(dim=1)])
        lots = torch.cat([lots, draw_lots(_worth(expected), generator)])
        best = balanced_choice(classes, lots, spare, answers.num_classes)
        preferred, classes, lots = preferred.take(best), classes[best], lots[best]
    new = unlike(preferred.pixels, answers.questions.pixels)
    # Near-duplicates come last: they are asked only where there is nothing else.
    ordered = (~new).to(torch.uint8).argsort(stable=True)
    return preferred.take(ordered[:count])


def _propose(
    answers: Answers,
    primers: Sequence[nn.Module],
    count: int,
    rounds: Rounds,
    generator: torch.Generator,
    *,
    device: str,
) -> tuple[Questions, Float[Tensor, "p n num_classes"]]:
    """Make candidates, a few more than asked for where gradients push some, and ask the primers about them."""
    made = supply(answers, count, generator, children=rounds.children)
    expected = beliefs(primers, made.pixels, device=device)
    if not rounds.pushed:
        return made, expected
    added = _pushed(primers, made, expected, generator, device=device)
    return joined([made, added]), torch.cat([expected, beliefs(primers, added.pixels, device=device)], dim=1)


def _worth(expected: Float[Tensor, "p n num_classes"]) -> Float[Tensor, " n"]:
    """One more than what an answer would teach in parts of what it teaches on average, squared.

    The primers do not know everything that they do not know: what they agree on is asked about as well. Squared: where
    they differ most, it is asked several times as often as where they differ a little.
    """
    apart = disagreement(expected)
    return (1 + apart / apart.mean().clamp(min=torch.finfo(apart.dtype).tiny)).square()


def _pushed(
    primers: Sequence[nn.Module],
    made: Questions,
    expected: Float[Tensor, "p n num_classes"],
    generator: torch.Generator,
    *,
    device: str,
) -> Questions:
    """Push some candidates towards the classes that are expected least among them, and some towards disagreement."""
    count = max(1, len(made) // _PUSHED_OF_CANDIDATES)
    rows = torch.randperm(len(made), generator=generator)[:count]
    num_classes = expected.shape[2]
    seen = torch.bincount(expected.mean(dim=0).argmax(dim=1), minlength=num_classes)
    weights = 1.0 / (seen + 1.0)
    wanted: Int[Tensor, " b"] = torch.multinomial(weights, count, replacement=True, generator=generator)
    apart = torch.rand(count, generator=generator) < 0.25
    return push(primers, made.take(rows), wanted.masked_fill(apart, -1), device=device)
