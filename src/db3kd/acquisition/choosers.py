"""The networks that choose, and what they believe of candidates."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import nn

from db3kd.context import HERE, Context
from db3kd.evaluation import scores
from db3kd.tensors import Float, Pixels, Tensor

# What networks say of images: logits [k n num_classes].
Score = Callable[[Sequence[nn.Module], Pixels, Context], Tensor]


def score_here(members: Sequence[nn.Module], pixels: Pixels, context: Context) -> Float[Tensor, "k n num_classes"]:
    """Ask networks for their logits in this process."""
    return scores(members, pixels, device=context.device)


@dataclass(frozen=True, eq=False)
class Choosers:
    """Networks that have learned the answers, and choose the next questions.

    Args:
        members: two at least to disagree; none while a run is opened.
        context: where they run.
        score: asks them, here or elsewhere.
    """

    members: Sequence[nn.Module] = ()
    context: Context = HERE
    score: Score = score_here

    def beliefs(self, pixels: Pixels) -> Float[Tensor, "k n num_classes"]:
        """Ask each member for its probabilities; at least one, about one image or more."""
        believed: Tensor = self.score(self.members, pixels, self.context).softmax(dim=2)
        return believed
