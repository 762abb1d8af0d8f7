"""Candidates at no query: fresh images of the families, and children of images that were answered.

Which of them are asked is the matter of `choosing`; the same supply, endless, is what a student learns an ensemble's
logits on. Called by `active`.
"""

import math

import torch

from db3kd.synthesis.answers import RECOMBINED, Answers, Questions, joined
from db3kd.synthesis.priors import FAMILIES, blend, focused, paint, relight, smooth_masks, warp
from db3kd.tensors import Float, Int, Tensor, UInt8

# Answers that every family is thought to have given beforehand, spread as those of all families are.
_PRIOR_ANSWERS = 20.0
_DOUBLINGS_PER_BIT = 8.0
# Steps small enough not to swing past the balance, and enough of them to come there.
_BALANCING_STEPS, _BALANCING_RATE = 200, 0.05
_PART = 4096
_NOBODY = torch.zeros(0, dtype=torch.int64)
_LEVELS = 255.0


def family_shares(answers: Answers, *, floor: float = 0.1) -> Float[Tensor, " f"]:
    """Tell how often each family should be painted, so that the answers to all of them are spread over the classes.

    An answer is worth the bits -log2 p of its class among the answers to a picture of any family, at the shares that
    are sought: a family is worth much where its answers are diverse, and where they are of classes that the others
    seldom give. A share doubles with each eighth of a bit. What a class is worth falls as it is given more often: a
    family that alone shows it gets as much as balances the classes, and no more.

    Args:
        answers: so far; without any, all families are equal.
        floor: what is spread evenly, so that none is given up.

    Returns:
        A share for each of `FAMILIES`; they sum to 1.
    """
    families = len(FAMILIES)
    counts = torch.zeros(families, answers.num_classes)
    new = answers.questions.kinds < families
    cells = answers.questions.kinds[new] * answers.num_classes + answers.decisions[new]
    counts += torch.bincount(cells, minlength=counts.numel()).view_as(counts)
    overall = (counts.sum(dim=0) + 1) / (counts.sum() + answers.num_classes)
    mixed = (counts + _PRIOR_ANSWERS * overall) / (counts.sum(dim=1, keepdim=True) + _PRIOR_ANSWERS)
    scores = torch.zeros(families)
    for _ in range(_BALANCING_STEPS):
        shares = _floored(scores, floor)
        worth = -(mixed * (shares @ mixed).log2()).sum(dim=1)
        scores = torch.lerp(scores, _DOUBLINGS_PER_BIT * math.log(2.0) * worth, _BALANCING_RATE)
    return _floored(scores, floor)


def _floored(scores: Float[Tensor, " f"], floor: float) -> Float[Tensor, " f"]:
    return floor / len(scores) + (1 - floor) * scores.softmax(dim=0)


def fresh(
    count: int, image_shape: tuple[int, int, int], shares: Float[Tensor, " f"], generator: torch.Generator
) -> Questions:
    """Paint new images.

    Args:
        count: how many.
        image_shape: channels, height and width.
        shares: of each of `FAMILIES`.
        generator: of all choices.

    Returns:
        The images, family by family.
    """
    drawn = torch.multinomial(shares, count, replacement=True, generator=generator) if count else torch.zeros(0).long()
    numbers = torch.bincount(drawn, minlength=len(FAMILIES)).tolist()
    pixels = [paint(family, number, image_shape, generator) for family, number in zip(FAMILIES, numbers, strict=True)]
    families = torch.arange(len(FAMILIES)).repeat_interleave(torch.tensor(numbers))
    return Questions(torch.cat(pixels), families, families)


def recombined(answers: Answers, count: int, generator: torch.Generator) -> Questions:
    """Make children of images that were answered, each class being parent equally often.

    A quarter each: the parent warped; two of a class through a smooth mask; two of any class through one; the light
    and shade of one on the outline of another. All of them are warped and relit a little, most are sharpened.

    Args:
        answers: so far, at least one.
        count: how many.
        generator: of all choices.

    Returns:
        The children.
    """
    weights = parenthood(answers)
    mothers = torch.multinomial(weights, count, replacement=True, generator=generator) if count else _NOBODY
    none = torch.zeros(0, *answers.questions.pixels.shape[1:], dtype=torch.uint8)
    parts = [_children(answers, part, weights, generator) for part in mothers.split(_PART) if len(part)]
    families = answers.questions.families[mothers]
    return Questions(torch.cat([none, *parts]), torch.full((count,), RECOMBINED), families)


def parenthood(answers: Answers) -> Float[Tensor, " n"]:
    """Tell how often each answered image should be parent: all classes alike, in a class as its family is worth.

    What is kept apart from training is no parent: its child would tell of it.
    """
    shares = family_shares(answers)[answers.questions.families] * ~answers.apart()
    by_class = torch.zeros(answers.num_classes).index_add_(0, answers.decisions, shares)
    return shares / by_class[answers.decisions].clamp(min=torch.finfo(shares.dtype).tiny)


def _children(
    answers: Answers, mother: Int[Tensor, " b"], weights: Float[Tensor, " n"], generator: torch.Generator
) -> UInt8[Tensor, "b c h w"]:
    pixels = answers.questions.pixels
    sibling = _siblings(answers, answers.decisions[mother], weights, generator)
    stranger = torch.multinomial(weights, len(mother), replacement=True, generator=generator)
    first, second, third = (pixels[rows].to(torch.float32) / _LEVELS for rows in (mother, sibling, stranger))
    masks = smooth_masks(len(mother), (pixels.shape[2], pixels.shape[3]), generator)
    ways = torch.randint(4, (len(mother), 1, 1, 1), generator=generator)
    second = warp(second, generator)
    child = torch.where(ways == 1, blend(first, second, masks), first)
    child = torch.where(ways == 2, blend(first, third, masks), child)
    child = torch.where(ways == 3, _reshaded(first, third), child)
    child = focused(warp(child, generator, strength=0.6), generator)
    relit = torch.rand(len(mother), 1, 1, 1, generator=generator) < 0.5
    child = torch.where(relit, relight(child, generator), child)
    return (child * _LEVELS).round_().to(torch.uint8)


def _siblings(
    answers: Answers, classes: Int[Tensor, " b"], weights: Float[Tensor, " n"], generator: torch.Generator
) -> Int[Tensor, " b"]:
    """A random answered image of each class, in a class by its weight."""
    chosen = torch.zeros_like(classes)
    for label in classes.unique().tolist():
        rows, own = (classes == label).nonzero()[:, 0], (answers.decisions == label).nonzero()[:, 0]
        drawn = torch.multinomial(weights[own], len(rows), replacement=True, generator=generator)
        chosen[rows] = own[drawn]
    return chosen


def _reshaded(outline: Float[Tensor, "b c h w"], shade: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
    """Multiply one image's brightness by what another deviates from its own mean."""
    relative = shade / shade.mean(dim=(1, 2, 3), keepdim=True).clamp(min=0.05)
    return (outline * relative.clamp(0.3, 1.7)).clamp(0, 1)


def supply(answers: Answers, count: int, generator: torch.Generator, *, children: float = 0.5) -> Questions:
    """Give candidates as they come: fresh ones of the families that were worth most, and children of all classes.

    Args:
        answers: so far; without any, all of them are fresh, of all families equally.
        count: how many.
        generator: of all choices; it moves on, so that calling again gives others.
        children: the share of recombined images.

    Returns:
        The candidates in random order.

    Cost: no query.
    """
    shape = answers.questions.pixels.shape[1:]
    made = round(children * count) if len(answers) else 0
    image_shape = (shape[0], shape[1], shape[2])
    parts = [fresh(count - made, image_shape, family_shares(answers), generator)]
    if made:
        parts.append(recombined(answers, made, generator))
    return joined(parts).take(torch.randperm(count, generator=generator))
