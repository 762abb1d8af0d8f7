"""What a run has bought, what networks of ours made of it, and what a student's lesson cost."""

import hashlib
from dataclasses import dataclass

from torch import nn

from db3kd.answers import Answers
from db3kd.boundary import Distances
from db3kd.pipeline.story import CommitteeLesson, Lesson


@dataclass(frozen=True, eq=False)
class Bought:
    """What a run has bought, and what networks of ours made of it."""

    answers: Answers
    mixtures: Answers
    committee: tuple[nn.Module, ...] = ()
    distances: Distances | None = None

    @property
    def digest(self) -> str:
        """Tells what a student learned from."""
        digest = hashlib.sha256(f"{self.answers.digest}/{self.mixtures.digest}".encode())
        for member in self.committee:
            for tensor in member.state_dict().values():
                digest.update(tensor.contiguous().numpy().tobytes())
        if self.distances is not None:
            for tensor in self.distances.tensors().values():
                digest.update(tensor.contiguous().numpy().tobytes())
        return digest.hexdigest()


def cost_of(lesson: Lesson, bought: Bought) -> int:
    """Tell how many queries a student's lesson rests on: decisions, and what of the rest it makes use of."""
    images = len(bought.answers)
    if isinstance(lesson, CommitteeLesson):
        return images + len(bought.mixtures)
    needs = lesson.softening.needs
    distances = bought.distances.cost if needs == "distances" and bought.distances is not None else 0
    # A search that a committee guided rests on what that learned from.
    return images + distances + (len(bought.mixtures) if needs != "nothing" or lesson.mixtures else 0)
