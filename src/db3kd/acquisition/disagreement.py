"""Choice by disagreement: what the members of a committee are sure of, each in another way."""

from dataclasses import dataclass

import torch

from db3kd.acquisition.balance import balanced_choice, draw_lots
from db3kd.acquisition.duplicates import new_ones
from db3kd.answers import Answers, Candidates
from db3kd.arguments import check_arguments
from db3kd.tensors import Float, Int, Tensor


@dataclass(frozen=True)
class Disagreement:
    """Chooses what the committee disagrees on, all expected classes alike, near-duplicates last; see `Acquisition`.

    A candidate's chance grows with its worth: one more than its disagreement in parts of the mean, squared. A committee
    may agree and be wrong, so that what it agrees on is asked about as well. Where members know a last class for what
    the teacher gives no class, worth falls with its probability.
    """

    name = "disagreement"
    committee = True

    def choose(
        self,
        candidates: Candidates,
        beliefs: Float[Tensor, "k n num_classes"],
        answers: Answers,
        count: int,
        generator: torch.Generator,
    ) -> Int[Tensor, " b"]:
        differing, together = disagreement(beliefs), beliefs.mean(dim=0)
        worth = (1 + differing / differing.mean().clamp(min=torch.finfo(differing.dtype).tiny)).square()
        # Only real classes take turns; "no class" has no turn of its own.
        classes, none = together.tensor_split([answers.num_classes], dim=1)
        lots = draw_lots(worth * (1 - none.sum(dim=1)), generator)
        preferred = balanced_choice(classes.argmax(dim=1), lots, len(candidates))
        return new_ones(candidates, answers, preferred, count)


def disagreement(beliefs: Float[Tensor, "k n num_classes"]) -> Float[Tensor, " n"]:
    """Measure what an answer would teach a committee, in nats: entropy of the mean less mean entropy.

    It is high where members are sure of different classes, 0 where they are unsure alike.

    Source: Houlsby et al. (2011), "Bayesian active learning by disagreement", with an ensemble for the posterior.
    """
    check_arguments(disagreement, locals())
    together: Tensor = torch.special.entr(beliefs.mean(dim=0)).sum(dim=1)
    each: Tensor = torch.special.entr(beliefs).sum(dim=2)
    return (together - each.mean(dim=0)).clamp(min=0)
