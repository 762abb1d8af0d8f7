"""Which candidates to ask about: where primers learn most, all classes alike, and none twice.

Nothing is asked here, and primers are only looked at. Called by `active`.
"""

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional

from db3kd.evaluation import logits
from db3kd.tensors import Bool, Float, Int, Tensor, UInt8

_CELLS = 7
_STEPS = 12
_LEAST = 1e-3


def beliefs(
    primers: Sequence[nn.Module], pixels: UInt8[Tensor, "n c h w"], *, device: str = "cpu"
) -> Float[Tensor, "p n num_classes"]:
    """Ask each primer for its probabilities.

    Args:
        primers: at least one network.
        pixels: the candidates.
        device: where the primers run.

    Returns:
        Probabilities, primer by primer.
    """
    return torch.stack([logits(primer, pixels, device=device).softmax(dim=1) for primer in primers])


def disagreement(beliefs: Float[Tensor, "p n num_classes"]) -> Float[Tensor, " n"]:
    """Measure what an answer would teach the ensemble: how far its primers differ, in nats.

    Args:
        beliefs: probabilities, primer by primer.

    Returns:
        Entropy of the mean less mean entropy: high where primers are sure of different classes, 0 where they
        are unsure alike.

    Source: Houlsby et al. (2011), "Bayesian active learning by disagreement", with an ensemble for the posterior.
    """
    mean = beliefs.mean(dim=0)
    return (_entropy(mean) - _entropy(beliefs).mean(dim=0)).clamp(min=0)


def draw_lots(worth: Float[Tensor, " n"], generator: torch.Generator) -> Float[Tensor, " n"]:
    """Give each candidate a lot: those with the highest ones are a draw without putting back, with chances as worth.

    Drawing, and not taking the best: the worthiest of very many are much alike.

    Args:
        worth: of asking about each, not negative.
        generator: of the lots.

    Returns:
        Lots below 0, which can be compared with those of other candidates.

    Source: Efraimidis and Spirakis (2006), "Weighted random sampling with a reservoir": the largest u^(1/w).
    """
    drawn = torch.rand(len(worth), generator=generator).clamp(min=torch.finfo(torch.float32).tiny)
    return drawn.log() / (worth + _LEAST)


def balanced_choice(
    classes: Int[Tensor, " n"], lots: Float[Tensor, " n"], count: int, num_classes: int
) -> Int[Tensor, " b"]:
    """Choose the highest lots, each class as often as the others.

    What was chosen from some candidates, chosen from again with others beside it, is what all of them at once would
    give: nobody who was left out could come in later.

    Args:
        classes: what each candidate is expected to be.
        lots: of each.
        count: how many; all where there are fewer.
        num_classes: number of classes.

    Returns:
        Positions, each once, in order of preference. What a class cannot fill goes to the others.
    """
    order = lots.argsort(descending=True)
    place = torch.zeros_like(classes)
    for number in range(num_classes):
        own = order[classes[order] == number]
        place[own] = torch.arange(len(own))
    # Turn by turn over the classes; within a turn the best lots first.
    turns = place[order].argsort(stable=True)
    return order[turns[:count]]


def unlike(candidates: UInt8[Tensor, "n c h w"], known: UInt8[Tensor, "m c h w"]) -> Bool[Tensor, " n"]:
    """Tell which candidates are no near-duplicate of a known image or of an earlier candidate.

    Two images are near-duplicates where their means over a 7x7 grid fall into the same of 12 steps, all of them.

    Args:
        candidates: in order of preference.
        known: what was asked before.

    Returns:
        True where a candidate is new.
    """
    codes = torch.cat([_codes(known), _codes(candidates)])
    _, group = torch.unique(codes, return_inverse=True)
    first = torch.full((len(codes),), len(codes)).scatter_reduce(0, group, torch.arange(len(codes)), "amin")
    return first[group[len(known) :]] == torch.arange(len(known), len(codes))


def _codes(pixels: UInt8[Tensor, "n c h w"]) -> Int[Tensor, " n"]:
    """A whole number for each image that near-duplicates share."""
    side = (min(_CELLS, pixels.shape[2]), min(_CELLS, pixels.shape[3]))
    parts = [torch.zeros(0, dtype=torch.int64)]
    weights = torch.Generator().manual_seed(0)
    cells = pixels.shape[1] * side[0] * side[1]
    factors = torch.randint(-(2**62), 2**62, (cells,), generator=weights)
    for part in pixels.split(8192):
        means = functional.adaptive_avg_pool2d(part.to(torch.float32), side).flatten(1)
        steps = (means * (_STEPS / 256.0)).long()
        # Whole numbers wrap around, so that this is a hash.
        parts.append((steps * factors).sum(dim=1))
    return torch.cat(parts)


def _entropy(probabilities: Float[Tensor, "*b num_classes"]) -> Float[Tensor, "*b"]:
    entropies: Tensor = torch.special.entr(probabilities).sum(dim=-1)
    return entropies
