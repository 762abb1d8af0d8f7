"""Children of images that were answered: warped, blended, reshaded and relit.

They are candidates like any other; which of them are asked about is the matter of `db3kd.acquisition`.
"""

import math

import torch

from db3kd.answers import Answers, Candidates
from db3kd.data.dataset import as_bytes
from db3kd.pools.priors.blending import blend, focused, relight, smooth_masks, warp
from db3kd.pools.priors.fields import Dice
from db3kd.pools.priors.shares import worth_of_each
from db3kd.tensors import Float, Int, Tensor, UInt8

# So many at once, and fewer where images are larger than 28x28 in gray: a part holds some dozens of floats a pixel.
_PART, _PIXELS_PER_PART = 4096, 4096 * 784


def recombined(answers: Answers, count: int, generator: torch.Generator) -> Candidates:
    """Make children of images that were answered, each class being parent equally often.

    A quarter each: the parent warped; two of a class through a smooth mask; two of any class through one; the light
    and shade of one on the outline of another. All of them are warped and relit a little, most are sharpened.
    """
    weights = parenthood(answers)
    mothers = torch.zeros(0, dtype=torch.int64)
    if count and weights.any():
        mothers = torch.multinomial(weights, count, replacement=True, generator=generator)
    shape = answers.images.image_shape
    none, most = torch.zeros(0, *shape, dtype=torch.uint8), max(1, min(_PART, _PIXELS_PER_PART // math.prod(shape)))
    parts = [_children(answers, part, weights, generator) for part in mothers.split(most) if len(part)]
    return Candidates(torch.cat([none, *parts]), answers.children("recombined", mothers))


def parenthood(answers: Answers) -> Float[Tensor, " n"]:
    """Tell how often each answered image should be parent: all classes alike, in a class as its family is worth.

    What is set aside is no parent: its child would tell of it. Nor is an image that the teacher abstained on.
    """
    worth = worth_of_each(answers) * (answers.decided & ~answers.aside)
    by_class = torch.zeros(answers.num_classes + 1).index_add_(0, answers.decisions, worth)
    return worth / by_class[answers.decisions].clamp(min=torch.finfo(worth.dtype).tiny)


def _children(
    answers: Answers, mother: Int[Tensor, " b"], weights: Float[Tensor, " n"], generator: torch.Generator
) -> UInt8[Tensor, "b c h w"]:
    dice = Dice(len(mother), generator)
    sibling = _siblings(answers, answers.decisions[mother], weights, generator)
    stranger = torch.multinomial(weights, len(mother), replacement=True, generator=generator)
    first, second, third = (answers.images.images(rows) for rows in (mother, sibling, stranger))
    masks = smooth_masks(answers.images.image_shape[1:], dice)
    ways = torch.randint(4, (len(mother), 1, 1, 1), generator=generator)
    second = warp(second, generator)
    child = torch.where(ways == 1, blend(first, second, masks), first)
    child = torch.where(ways == 2, blend(first, third, masks), child)
    child = torch.where(ways == 3, _reshaded(first, third), child)
    child = focused(warp(child, generator, strength=0.6), dice)
    return as_bytes(torch.where(dice.chance(0.5)[:, None], relight(child, dice), child))


def _siblings(
    answers: Answers, classes: Int[Tensor, " b"], weights: Float[Tensor, " n"], generator: torch.Generator
) -> Int[Tensor, " b"]:
    """A random answered image of each class, in a class by its weight."""
    chosen = torch.zeros_like(classes)
    for label in classes.unique().tolist():
        rows, own = (classes == label).nonzero()[:, 0], (answers.decisions == label).nonzero()[:, 0]
        chosen[rows] = own[torch.multinomial(weights[own], len(rows), replacement=True, generator=generator)]
    return chosen


def _reshaded(outline: Float[Tensor, "b c h w"], shade: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
    """Multiply one image's brightness by what another deviates from its own mean."""
    relative = shade / shade.mean(dim=(1, 2, 3), keepdim=True).clamp(min=0.05)
    return (outline * relative.clamp(0.3, 1.7)).clamp(0, 1)
