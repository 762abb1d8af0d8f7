"""Candidates at no query: fresh images of the families, and children of images that were answered.

Which of them are asked is the matter of `choosing`; the same supply, endless, is what a student learns an ensemble's
logits on. Called by `active`.
"""

import torch

from db3kd.synthesis.answers import RECOMBINED, Answers, Questions, joined
from db3kd.synthesis.priors import FAMILIES, blend, paint, relight, smooth_masks, warp
from db3kd.tensors import Float, Int, Tensor, UInt8

# Answers that every family is thought to have given beforehand, spread as those of all families are.
_PRIOR_ANSWERS = 20.0
_PART = 4096
_LEVELS = 255.0


def family_shares(answers: Answers, *, floor: float = 0.2) -> Float[Tensor, " f"]:
    """Tell how often each family should be painted, by what its answers were worth.

    An answer is worth the bits -log2 p of its class among all answers: a family is worth much where its answers are
    diverse, and where they are of classes that others seldom give. A share doubles with each half bit.

    Args:
        answers: so far; without any, all families are equal.
        floor: what is spread evenly, so that none is given up.

    Returns:
        A share for each of `FAMILIES`; they sum to 1.
    """
    families = len(FAMILIES)
    counts = torch.zeros(families, answers.num_classes)
    fresh = answers.questions.kinds < families
    cells = answers.questions.kinds[fresh] * answers.num_classes + answers.decisions[fresh]
    counts += torch.bincount(cells, minlength=counts.numel()).view_as(counts)
    overall = (counts.sum(dim=0) + 1) / (counts.sum() + answers.num_classes)
    mixed = (counts + _PRIOR_ANSWERS * overall) / (counts.sum(dim=1, keepdim=True) + _PRIOR_ANSWERS)
    worth = -(mixed * overall.log2()).sum(dim=1)
    return floor / families + (1 - floor) * (2 * worth * torch.log(torch.tensor(2.0))).softmax(dim=0)


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
    return Questions(torch.cat(pixels), torch.arange(len(FAMILIES)).repeat_interleave(torch.tensor(numbers)))


def recombined(answers: Answers, count: int, generator: torch.Generator) -> Questions:
    """Make children of images that were answered, each class being parent equally often.

    A quarter each: the parent warped; two of a class through a smooth mask; two of any class through one; the light
    and shade of one on the outline of another. All of them are warped and relit a little.

    Args:
        answers: so far, at least one.
        count: how many.
        generator: of all choices.

    Returns:
        The children.
    """
    none = torch.zeros(0, *answers.questions.pixels.shape[1:], dtype=torch.uint8)
    weights = _balanced(answers)
    parts = [none]
    for part in torch.arange(count).split(_PART):
        mother = torch.multinomial(weights, len(part), replacement=True, generator=generator)
        parts.append(_children(answers, mother, weights, generator))
    return Questions(torch.cat(parts), torch.full((count,), RECOMBINED))


def _balanced(answers: Answers) -> Float[Tensor, " n"]:
    """How often an answered image is parent: each class that came as often as the others."""
    return 1.0 / answers.histogram().clamp(min=1).to(torch.float32)[answers.decisions]


def _children(
    answers: Answers, mother: Int[Tensor, " b"], weights: Float[Tensor, " n"], generator: torch.Generator
) -> UInt8[Tensor, "b c h w"]:
    pixels = answers.questions.pixels
    sibling = _same_class(answers, answers.decisions[mother], generator)
    stranger = torch.multinomial(weights, len(mother), replacement=True, generator=generator)
    first, second, third = (pixels[rows].to(torch.float32) / _LEVELS for rows in (mother, sibling, stranger))
    masks = smooth_masks(len(mother), (pixels.shape[2], pixels.shape[3]), generator)
    ways = torch.randint(4, (len(mother), 1, 1, 1), generator=generator)
    second = warp(second, generator)
    child = torch.where(ways == 1, blend(first, second, masks), first)
    child = torch.where(ways == 2, blend(first, third, masks), child)
    child = torch.where(ways == 3, _reshaded(first, third), child)
    child = warp(child, generator, strength=0.6)
    relit = torch.rand(len(mother), 1, 1, 1, generator=generator) < 0.5
    child = torch.where(relit, relight(child, generator), child)
    return (child * _LEVELS).round_().to(torch.uint8)


def _same_class(answers: Answers, classes: Int[Tensor, " b"], generator: torch.Generator) -> Int[Tensor, " b"]:
    """A random answered image of each class."""
    order = answers.decisions.argsort(stable=True)
    counts = answers.histogram()
    starts = counts.cumsum(0) - counts
    lots = torch.rand(len(classes), generator=generator)
    return order[starts[classes] + (lots * counts[classes]).long().clamp(max=counts[classes] - 1)]


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
