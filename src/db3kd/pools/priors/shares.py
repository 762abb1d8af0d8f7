"""How often each family is painted: by what its answers so far were worth."""

import math
from collections.abc import Collection, Sequence

import torch

from db3kd.answers import Answers, is_fresh
from db3kd.pools.priors.families import AS_THEY_ARE, PICTURED, PROCEDURAL, SURROGATE, WARPED
from db3kd.tensors import Float, Tensor

# Answers that every family is thought to have given beforehand, spread as those of all families are.
_PRIOR_ANSWERS = 20.0
_DOUBLINGS_PER_BIT = 8.0
# Steps small enough not to swing past the balance, and enough of them to come there.
_BALANCING_STEPS, _BALANCING_RATE = 200, 0.05
# Spread evenly, so that no family is given up.
_FLOOR = 0.1
# What a pool draws all of or nothing; the first is always there.
_GROUPS = (
    tuple(family.name for family in PROCEDURAL),
    tuple(family.name for family in PICTURED),
    (AS_THEY_ARE, WARPED, *SURROGATE),
)


def drawn_of_each(families: Sequence[str], count: int, answers: Answers, generator: torch.Generator) -> list[int]:
    """Draw how many of so many images each family gives, by what its answers were worth."""
    shares = family_shares(answers, families)
    drawn = torch.multinomial(shares, count, replacement=True, generator=generator) if count else torch.zeros(0)
    numbers: list[int] = torch.bincount(drawn.long(), minlength=len(families)).tolist()
    return numbers


def family_shares(answers: Answers, families: Sequence[str]) -> Float[Tensor, " f"]:
    """Tell how often each family should be painted, so that all answers are spread over the classes.

    An answer is worth the bits -log2 p of its class among the answers to a picture of any family, at the shares that
    are sought: a family whose answers are diverse, or of rare classes, is worth much. A share doubles with each eighth
    of a bit. A class is worth less as it is given more often, so that a family that alone shows it only balances it.
    A share falls with the part of a family's images that are of no class: a question about one brings nothing.
    """
    return _balanced(_counts(answers, families))


def source_shares(answers: Answers, limited: Sequence[Collection[str]], endless: int) -> list[float]:
    """Tell how often each source of images should be drawn from, by the rule of `family_shares`.

    The limited come first, each with the origins that its images have; the endless have all others in common.
    """
    names = [name for name in answers.coded.names if is_fresh(name)]
    others = set(names).difference(*limited)
    counts = _counts(answers, names)
    asked = [
        counts[torch.tensor([name in source for name in names], dtype=torch.bool)].sum(dim=0)
        for source in (*limited, *[others] * endless)
    ]
    shares: list[float] = _balanced(torch.stack(asked)).tolist()
    return shares


def _balanced(asked: Float[Tensor, "f classes"]) -> Float[Tensor, " f"]:
    """Give the shares that `family_shares` explains, of the answers of each class and, in the last column, of none."""
    counts, num_classes = asked[:, :-1], asked.shape[1] - 1
    overall = (counts.sum(dim=0) + 1) / (counts.sum() + num_classes)
    mixed = (counts + _PRIOR_ANSWERS * overall) / (counts.sum(dim=1, keepdim=True) + _PRIOR_ANSWERS)
    decided = _decided_parts(counts.sum(dim=1), asked.sum(dim=1))
    scores = torch.zeros(len(asked))
    for _ in range(_BALANCING_STEPS):
        shares = _floored(scores + decided.log())
        # Of the decided answers, up to a factor that all families have in common.
        given = (shares * decided) @ mixed
        worth = -(mixed * given.log2()).sum(dim=1)
        scores = torch.lerp(scores, _DOUBLINGS_PER_BIT * math.log(2.0) * worth, _BALANCING_RATE)
    return _floored(scores + decided.log())


def worth_of_each(answers: Answers) -> Float[Tensor, " n"]:
    """Give each image the share of its family; the mean share where its family is none of these."""
    names, codes = answers.families
    # Families that were left out have no share, so that a run without them chooses what it always chose.
    groups = [group for number, group in enumerate(_GROUPS) if not number or not set(group).isdisjoint(names)]
    families = [name for group in groups for name in group]
    places = _places(families)
    shares = torch.cat([family_shares(answers, families), torch.full((1,), 1 / len(families))])
    return shares[torch.tensor([places.get(name, len(families)) for name in names], dtype=torch.int64)][codes]


def _decided_parts(decided: Float[Tensor, " f"], asked: Float[Tensor, " f"]) -> Float[Tensor, " f"]:
    """Estimate for each family which part of its images the teacher decides; exactly 1 where it decides all."""
    overall = (decided.sum() + 1) / (asked.sum() + 1)
    return (decided + _PRIOR_ANSWERS * overall) / (asked + _PRIOR_ANSWERS)


def _counts(answers: Answers, families: Sequence[str]) -> Float[Tensor, "f classes"]:
    """Count the answers of each class, and last the abstentions, to fresh images of each family."""
    (names, codes), known = answers.coded, _places(families)
    places = [known.get(name, -1) if is_fresh(name) else -1 for name in names]
    family = torch.tensor(places, dtype=torch.int64)[codes]
    counted, columns = family >= 0, answers.num_classes + 1
    cells = family[counted] * columns + answers.decisions[counted]
    return torch.bincount(cells, minlength=len(families) * columns).view(len(families), columns).float()


def _places(families: Sequence[str]) -> dict[str, int]:
    return {name: place for place, name in enumerate(families)}


def _floored(scores: Float[Tensor, " f"]) -> Float[Tensor, " f"]:
    return _FLOOR / len(scores) + (1 - _FLOOR) * scores.softmax(dim=0)
