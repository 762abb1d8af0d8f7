"""Random choice: what every other acquisition has to beat."""

from dataclasses import dataclass

import torch

from db3kd.answers import Answers, Candidates
from db3kd.tensors import Float, Int, Tensor


@dataclass(frozen=True)
class Random:
    """Chooses at random; see `Acquisition`."""

    name = "random"
    committee = False

    def choose(
        self,
        candidates: Candidates,
        beliefs: Float[Tensor, "k n num_classes"],
        answers: Answers,
        count: int,
        generator: torch.Generator,
    ) -> Int[Tensor, " b"]:
        return torch.randperm(len(candidates), generator=generator)[:count]
