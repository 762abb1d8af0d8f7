"""The stages that ask about all of some images: mixtures for a committee, held-out images.

Each is one part; its answers are noted before they are used.
"""

from collections.abc import Sequence
from dataclasses import dataclass
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
@dataclass(frozen=True, eq=False)
class AskAll:
    """Asks about each of some candidates, or about the first of them where a budget leaves no more."""

    name: str
    teacher: Teacher
    candidates: Candidates
    about: str
    budget: Budget | None
    class_names: tuple[str, ...] = ()
    most: int | None = None

    kind = ANSWERS
    source = ""

    @property
    def outline(self) -> Outline:
        return Outline(self.name, (Part(self.name, len(self.candidates)),), "parts", self.budget is None)

    @property
    def key(self) -> Key:
        return {**teacher_key(self.teacher.spec), "images": self.about, "count": len(self.candidates)}

    @property
    def _none(self) -> Answers:
        spec = self.teacher.spec
        return no_answers(spec.input_shape, spec.num_classes, name=self.name, class_names=self.class_names)

    def make(self, number: int, before: Sequence[Kept], keeper: Keeper) -> Kept:
        """Ask about all of them; what a budget leaves unasked waits in the journal."""
        # Mixtures of noise are mixtures too.
        limits = None if self.budget is None else self.budget.limits(MIXTURES)
        # What was asked before the limit was lowered stays.
        most = None if self.most is None else max(self.most, keeper.noted(self.name))
        with keeper.asking(self.teacher, self, limits=limits, held_out=self.budget is None) as oracle:
            decisions, _ = ask(oracle, self.candidates.first(most))
        whole = len(decisions) == len(self.candidates)
        return to_kept(answered(self.candidates, decisions, self._none), {}, whole=whole)

    def join(self, parts: Sequence[Kept]) -> Answers:
        return all_of(parts, self._none)


def ask_mixtures(
    teacher: Teacher,
    answers: Answers,
    count: int,
    *,
    budget: Budget,
    seed: int,
    name: str = MIXTURES,
    most: int | None = None,
) -> AskAll:
    """Ask about mixtures of images that were answered, for a committee to learn from; about so many at most now."""
    images = answers.images.subset(answers.learned())
    return AskAll(
        name,
        teacher,
        mixtures(images, count, seed=seed),
        f"mixtures of {images.digest} by seed {seed}",
        budget=budget,
        class_names=images.class_names,
        most=most,
    )


def ask_held_out(teacher: Teacher, images: Dataset) -> AskAll:
    """Ask about held-out images, which is booked outside the budget."""
    candidates = Candidates(images.pixels, ("held-out",) * len(images), images.ids, images.labels)
    return AskAll(HELD_OUT, teacher, candidates, images.digest, budget=None, class_names=images.class_names)
