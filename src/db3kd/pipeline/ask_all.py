"""The stages that ask about all of some images: mixtures for a committee, held-out images.

Each is one part; its answers are noted before they are used.
"""

from collections.abc import Sequence
from typing import final

from db3kd.answers import Answers, Candidates, no_answers
from db3kd.data import Dataset
from db3kd.pipeline.asking import ANSWERS, all_of, answered, ask, teacher_key, to_kept
from db3kd.pipeline.budget import Budget
from db3kd.pools import mixtures
from db3kd.runs import Keeper, Kept, Key, Outline, Part
from db3kd.teachers import Teacher

MIXTURES, HELD_OUT = "mixtures", "held-out"


@final
class AskAll:
    """Asks about each of some candidates."""

    kind = ANSWERS
    source = ""

    def __init__(
        self,
        name: str,
        teacher: Teacher,
        candidates: Candidates,
        about: str,
        *,
        budget: Budget | None,
        class_names: tuple[str, ...] = (),
    ) -> None:
        self._name, self._teacher, self._candidates, self._about = name, teacher, candidates, about
        self._budget, spec = budget, teacher.spec
        self._none = no_answers(spec.input_shape, spec.num_classes, name=name, class_names=class_names)

    @property
    def outline(self) -> Outline:
        return Outline(self._name, (Part(self._name, len(self._candidates)),), "parts", self._budget is None)

    @property
    def key(self) -> Key:
        return {**teacher_key(self._teacher.spec), "images": self._about, "count": len(self._candidates)}

    def make(self, number: int, before: Sequence[Kept], keeper: Keeper) -> Kept:
        """Ask about all of them; what a budget leaves unasked waits in the journal."""
        limits = None if self._budget is None else self._budget.limits(self._name)
        with keeper.asking(self._teacher, self._name, self, limits=limits, held_out=self._budget is None) as oracle:
            decisions, ended = ask(oracle, self._candidates)
        return to_kept(answered(self._candidates, decisions, self._none), {}, whole=ended is None)

    def join(self, parts: Sequence[Kept]) -> Answers:
        return all_of(parts, self._none)


def ask_mixtures(
    teacher: Teacher, answers: Answers, count: int, *, budget: Budget, seed: int, name: str = MIXTURES
) -> AskAll:
    """Ask about mixtures of images that were answered, for a committee to learn from."""
    images = answers.images.subset(answers.learned())
    return AskAll(
        name,
        teacher,
        mixtures(images, count, seed=seed),
        f"mixtures of {images.digest} by seed {seed}",
        budget=budget,
        class_names=images.class_names,
    )


def ask_held_out(teacher: Teacher, images: Dataset) -> AskAll:
    """Ask about held-out images, which is booked outside the budget."""
    candidates = Candidates(images.pixels, ("held-out",) * len(images), images.ids, images.labels)
    return AskAll(HELD_OUT, teacher, candidates, images.digest, budget=None, class_names=images.class_names)
