"""What an acquisition is: it chooses, among candidates, what to ask about."""

from typing import Protocol, runtime_checkable

import torch

from db3kd.answers import Answers, Candidates
from db3kd.tensors import Float, Int, Tensor


@runtime_checkable
class Acquisition(Protocol):
    """Chooses what to ask about; it never asks, and holds no state."""

    @property
    def name(self) -> str:
        """What plans and reports call it."""

    @property
    def committee(self) -> bool:
        """Whether it looks at what a committee believes: without one, it is then not called."""

    def choose(
        self,
        candidates: Candidates,
        beliefs: Float[Tensor, "k n num_classes"],
        answers: Answers,
        count: int,
        generator: torch.Generator,
    ) -> Int[Tensor, " b"]:
        """Choose.

        Args:
            candidates: images that nobody has asked about.
            beliefs: the probabilities of the k members of the committee; k is 0 where it looks at none.
            answers: so far.
            count: how many to choose.
            generator: of all choices; it moves on.

        Returns:
            Rows of the candidates, the best first, each once; all of them where there are no more than `count`.

        Cost: no query.
        """
