"""Choice by margin: what the committee, taken together, can hardly tell from another class."""

from dataclasses import dataclass

import torch

from db3kd.acquisition.balance import draw_lots
from db3kd.acquisition.duplicates import new_ones
from db3kd.answers import Answers, Candidates
from db3kd.tensors import Float, Int, Tensor


@dataclass(frozen=True)
class Margin:
    """Chooses what the committee is unsure of, rare classes more often, near-duplicates last; see `Acquisition`.

    A candidate's chance grows with its worth: the square of one minus the margin between the two likeliest classes,
    divided by the part of the candidates that is expected in its class. A class without doubts is asked about less.
    Where members know a last class for what the teacher gives no class, worth falls with its probability.

    Source: margin sampling of Scheffer et al. (2001), drawn by lots.
    """

    name = "margin"
    committee = True

    def choose(
        self,
        candidates: Candidates,
        beliefs: Float[Tensor, "k n num_classes"],
        answers: Answers,
        count: int,
        generator: torch.Generator,
    ) -> Int[Tensor, " b"]:
        together = beliefs.mean(dim=0)
        (first, second), expected = together.topk(2, dim=1).values.unbind(dim=1), together.argmax(dim=1)
        shares = torch.bincount(expected, minlength=answers.num_classes) / len(expected)
        known = together[:, : answers.num_classes].sum(dim=1)
        lots = draw_lots((1 - (first - second)).square() * known / shares[expected], generator)
        return new_ones(candidates, answers, lots.argsort(descending=True), count)
