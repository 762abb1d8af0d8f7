"""The stage in which networks of several kinds learn the first answers: which of them copies this teacher?

A network that is built like the teacher goes on from made images to real ones as the teacher does, and another one does
not: of the same 10,000 answers the two kinds tried here made agreements ten points and more apart. Of a pool of colour
pictures it was seven.
"""

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import final

import torch

from db3kd.answers import Answers
from db3kd.data import Dataset
from db3kd.evaluation import predict
from db3kd.models import weights
from db3kd.pipeline.learn import Fixed, Training, network_of, train_part
from db3kd.runs import Keeper, Kept, Key, Outline, Part, numbered_part
from db3kd.tensors import Bool, Tensor
from db3kd.training import Committee, member_seed

TRIAL = "trial"
# One of so many answers is not learned, and says which network is better.
_TESTED_EVERY = 4

_log = logging.getLogger(__name__)


def tried(
    committee: Committee, answers: Answers, opening: int, keeper: Keeper, pool: Dataset | None = None
) -> Committee:
    """Settle of which networks a committee is: of those that copy its opening answers best; at no query."""
    if not committee.rivals:
        return committee
    first = answers.take(torch.arange(opening))
    if len(first.learned()) < _TESTED_EVERY:
        return committee
    return keeper.perform(Trial(first, committee, pool, seed=keeper.context.seed))


@final
class Trial:
    """Trains one network of each kind on most of some answers, and compares them on the others."""

    kind = weights.FORMAT

    def __init__(self, answers: Answers, committee: Committee, pool: Dataset | None = None, *, seed: int) -> None:
        self._committee, self._pool, self._seed = committee, pool, seed
        self._kinds = (committee.architecture, *committee.rivals)
        hidden = answers.aside.clone()
        hidden[answers.learned()[::_TESTED_EVERY]] = True
        self._answers = replace(answers, aside=hidden)
        self._tested = answers.take((answers.decided & hidden).nonzero()[:, 0])
        self._recipe = committee.recipe_for(len(self._answers.learned()), pool, choosing=True)
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
        committee = self._committee.of(self._kinds[number])
        lesson = committee.lesson(self._answers, self._recipe, self._pool, choosing=True)
        training = Training(
            self,
            self.outline.parts[number],
            committee.architecture,
            committee.classes_for(self._answers, self._pool),
            member_seed(self._seed, number, len(self._answers.learned())),
            Fixed(lesson),
            self._recipe,
        )
        return train_part(keeper, training)

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
