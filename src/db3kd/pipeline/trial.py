"""The stage in which networks of several kinds learn the first answers: which of them copies this teacher?

A network that is built like the teacher goes on from made images to real ones as the teacher does, and another one does
not: of the same 10,000 answers the two kinds tried here made agreements ten points and more apart.
"""

import logging
from collections.abc import Sequence
from itertools import takewhile
from typing import final

import torch

from db3kd.acquisition import Step
from db3kd.answers import Answers
from db3kd.evaluation import predict
from db3kd.models import weights
from db3kd.pipeline.learn import Fixed, network_of, train_part
from db3kd.runs import Keeper, Kept, Key, Outline, Part, numbered_part
from db3kd.tensors import Bool, Tensor
from db3kd.training import Committee, member_seed
from db3kd.training.committee import choosing_recipe, lesson_of

TRIAL = "trial"
# One of so many answers is not learned, and says which network is better.
_TESTED_EVERY = 4

_log = logging.getLogger(__name__)


def tried(committee: Committee, answers: Answers, steps: Sequence[Step], keeper: Keeper) -> Committee:
    """Settle of which networks a committee is: of those that copy the first answers best.

    Args:
        committee: says which are tried.
        answers: so far; those before a committee first chose are learned.
        steps: by which they are asked.
        keeper: of the run.

    Returns:
        The committee, with nothing left to try; as it was where there is nothing to try, or to try it on.

    Cost: no query.
    """
    first = sum(step.size for step in takewhile(lambda step: step.way != "chosen", steps))
    opening = answers.take(torch.arange(min(first, len(answers))))
    if not committee.rivals or len(opening.learned()) < _TESTED_EVERY:
        return committee
    return keeper.perform(Trial(opening, committee, seed=keeper.context.seed))


@final
class Trial:
    """Trains one network of each kind on most of some answers, and compares them on the others."""

    kind = weights.FORMAT

    def __init__(self, answers: Answers, committee: Committee, *, seed: int) -> None:
        self._committee, self._seed = committee, seed
        self._kinds = (committee.architecture, *committee.rivals)
        rows = answers.learned()
        self._learned = answers.take(rows[torch.arange(len(rows)) % _TESTED_EVERY > 0])
        self._tested = answers.take(rows[::_TESTED_EVERY])
        self._recipe = choosing_recipe(len(self._learned))
        self.source = answers.digest
        # What was made before is not told again.
        self._made = False

    @property
    def outline(self) -> Outline:
        numbers = range(len(self._kinds))
        return Outline(TRIAL, tuple(Part(numbered_part(TRIAL, one), epochs=self._recipe.epochs) for one in numbers))

    @property
    def key(self) -> Key:
        return {"architectures": list(self._kinds), "seed": self._seed}

    def make(self, number: int, before: Sequence[Kept], keeper: Keeper) -> Kept:
        """Train one of them."""
        self._made = True
        return train_part(
            keeper,
            self,
            self.outline.parts[number],
            Fixed(lesson_of(self._learned), self._recipe.epochs),
            architecture=self._kinds[number],
            recipe=self._recipe,
            num_classes=self._learned.num_classes,
            seed=member_seed(self._seed, number, len(self._learned)),
        )

    def join(self, parts: Sequence[Kept]) -> Committee:
        """Take another kind than the usual one only where it is surely better, by a standard error."""
        right = [self._right(part) for part in parts]
        best = 0
        for number in range(1, len(right)):
            gained = right[number].double() - right[best].double()
            if gained.mean() > gained.std() / len(gained) ** 0.5:
                best = number
        if self._made:
            shares = ", ".join(
                f"{kind} {100 * one.double().mean():.0f}%" for kind, one in zip(self._kinds, right, strict=True)
            )
            _log.info(
                "of %d answers that they had not learned, networks repeated: %s; the committee is of %s",
                len(self._tested),
                shares,
                self._kinds[best],
            )
        return self._committee.of(self._kinds[best])

    def _right(self, part: Kept) -> Bool[Tensor, " n"]:
        return predict(network_of(part), self._tested.images) == self._tested.decisions
