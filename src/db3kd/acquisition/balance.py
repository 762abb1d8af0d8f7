"""A draw among candidates that is balanced over classes."""

import torch

from db3kd.tensors import Float, Int, Tensor

_LEAST = 1e-3


def draw_lots(worth: Float[Tensor, " n"], generator: torch.Generator) -> Float[Tensor, " n"]:
    """Give each candidate a lot: those with the highest ones are a draw without putting back, with chances as worth.

    Drawing, and not taking the best: the worthiest of very many are much alike.

    Source: Efraimidis and Spirakis (2006), "Weighted random sampling with a reservoir": the largest u^(1/w).
    """
    drawn = torch.rand(len(worth), generator=generator).clamp(min=torch.finfo(torch.float32).tiny)
    return drawn.log() / (worth + _LEAST)


def balanced_choice(classes: Int[Tensor, " n"], lots: Float[Tensor, " n"], count: int) -> Int[Tensor, " b"]:
    """Choose the highest lots, each class as often as the others; what a class cannot fill goes to the others.

    The first rows of a larger choice are the smaller one.
    """
    order = lots.argsort(descending=True)
    by_class = classes[order].sort(stable=True)
    sizes = torch.bincount(by_class.values)
    starts = sizes.cumsum(0) - sizes
    place = torch.empty_like(order)
    place[by_class.indices] = torch.arange(len(order)) - starts[by_class.values]
    # Turn by turn over the classes; within a turn the best lots first.
    return order[place.argsort(stable=True)[:count]]
