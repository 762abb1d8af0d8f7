"""Answers of a simple teacher to made images, and small networks that have learned nothing yet."""

from functools import cache

import torch
from torch import nn

from db3kd.acquisition import Rounds, count_fresh, set_aside
from db3kd.answers import Answers, Candidates, no_answers
from db3kd.data import Dataset
from db3kd.models import build
from db3kd.pools import Priors
from db3kd.tensors import Float, Int, Tensor

SHAPE = (1, 16, 16)
CLASSES = 4
PRIORS = Priors(SHAPE)
NONE = no_answers(SHAPE, CLASSES)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def decide(images: Float[Tensor, "b c h w"]) -> Int[Tensor, " b"]:
    """Four classes by where the brightness lies and how much there is; the last one is rare."""
    gray = images[:, 0]
    side = (gray[:, :, :8].mean(dim=(1, 2)) > gray[:, :, 8:].mean(dim=(1, 2))).long()
    level = gray.mean(dim=(1, 2))
    return torch.where(level < 0.02, 3, torch.where(level > 0.8, 2, side))


def add(answers: Answers, asked: Candidates, decisions: Int[Tensor, " b"] | None = None) -> Answers:
    """Add what the teacher says to some candidates, as a run does."""
    decisions = decide(asked.images()) if decisions is None else decisions
    aside = set_aside(count_fresh(answers), asked.origins, Rounds().aside_every)
    images = Dataset(answers.images.name, asked.named(len(answers)), asked.pixels, asked.labels, ())
    return answers.joined(Answers(images, decisions, asked.origins, answers.num_classes, aside))


@cache
def answered(count: int = 200, seed: int = 0) -> Answers:
    return add(NONE, PRIORS.draw(count, NONE, seeded(seed)))


def of_families(names: tuple[str, ...], decisions: Int[Tensor, " n"]) -> Answers:
    """Answers about black images of these origins."""
    return add(NONE, Candidates(torch.zeros(len(names), *SHAPE, dtype=torch.uint8), names), decisions)


def committee() -> list[nn.Module]:
    return [build("lenet5-fifth", SHAPE, CLASSES, seed=seed) for seed in (1, 2)]
