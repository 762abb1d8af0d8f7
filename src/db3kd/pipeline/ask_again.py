"""The stage that asks some images a second time: is the teacher constant?

It comes last, when all that is needed is bought, so that a teacher that was exchanged meanwhile shows as well.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from db3kd.answers import Answers, Candidates
from db3kd.data.dataset import draw
from db3kd.errors import TeacherError
from db3kd.pipeline.asking import ask, teacher_key
from db3kd.pipeline.budget import Budget
from db3kd.runs import Keeper, Kept, Key, Outline, Part
from db3kd.teachers import Teacher

REPEATS = "repeats"
_REPEATED = "db3kd-repeats-2"

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Repeats:
    """How constant a teacher is."""

    asked: int
    changed: int

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a user has to know of it; nothing where no answer changed."""
        if not self.changed:
            return ()
        return (
            f"the teacher is not constant: {self.changed} of {self.asked} images got another answer when they were "
            "asked a second time, and some of the answers bought are chance; db3kd check-teacher tells whether the "
            "batch is why",
        )


@final
@dataclass(frozen=True, eq=False)
class AskAgain:
    """Asks some images a second time, so that a run notices by itself whether its teacher is constant.

    Elsewhere no answer of a run can contradict another one: what was paid is not asked again. Where the budget does not
    reach, or the teacher does not answer, nothing is known of it; that harms nothing else.
    """

    teacher: Teacher
    answers: Answers
    budget: Budget

    kind = _REPEATED
    # Once is enough: where a larger budget brings further answers, what was found out stays.
    source = ""

    @property
    def _count(self) -> int:
        return min(self.budget.repeats, len(self.answers))

    @property
    def outline(self) -> Outline:
        return Outline(REPEATS, (Part(REPEATS, self._count),))

    @property
    def key(self) -> Key:
        return teacher_key(self.teacher.spec)

    def make(self, number: int, before: Sequence[Kept], keeper: Keeper) -> Kept:
        """Ask where the budget reaches; a recorded answer does not count here."""
        rows = draw(self.answers.images.ids, self._count, seed=0)
        candidates = Candidates(self.answers.images.pixels[rows], ("repeated",) * len(rows))
        limits = self.budget.limits(REPEATS)
        try:
            with keeper.asking(self.teacher, self, limits=limits, afresh=True) as oracle:
                again, ended = ask(oracle, candidates)
        except TeacherError as error:
            _log.info("whether the teacher is constant was not found out: %s", error)
            return Kept({}, whole=False)
        if ended is not None:
            return Kept({}, whole=False)
        return Kept({"rows": rows, "first": self.answers.decisions[rows], "second": again})

    def join(self, parts: Sequence[Kept]) -> Repeats | None:
        return repeats_of(parts[0])


def repeats_of(kept: Kept | None) -> Repeats | None:
    """Read how constant a teacher was; None where that is not known."""
    if kept is None or not kept.whole:
        return None
    first, second = kept.tensors["first"], kept.tensors["second"]
    return Repeats(len(first), int((first != second).sum()))


def kept_repeats(keeper: Keeper) -> Repeats | None:
    """Read what a run found out of its teacher."""
    return repeats_of(keeper.look(REPEATS, _REPEATED))
