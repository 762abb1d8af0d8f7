"""What a teacher has said about made images so far: the memory of the active rounds.

Nothing is ever thrown away: a dull answer counts for the balance too. A share of the answers is kept apart from all
training, for `db3kd.evaluation`. Filled by the rounds, read by everything beside this module.
"""

from dataclasses import dataclass

import torch

from db3kd.errors import PlanError
from db3kd.synthesis.priors import FAMILIES
from db3kd.tensors import Bool, Float, Int, Tensor, UInt8

RECOMBINED, PUSHED, BISECTED = len(FAMILIES), len(FAMILIES) + 1, len(FAMILIES) + 2
# Where an image came from: a family of its own, or what was made out of others.
KINDS = (*(family.name for family in FAMILIES), "recombined", "pushed", "between two")

_MOST_APART = 1000


@dataclass(frozen=True)
class Questions:
    """Images to ask about.

    Args:
        pixels: the n images, 8-bit.
        kinds: where each came from, a position in `KINDS`.
        families: the family of each, or that of the image that it was made of first, a position in `FAMILIES`.
    """

    pixels: UInt8[Tensor, "n c h w"]
    kinds: Int[Tensor, " n"]
    families: Int[Tensor, " n"]

    def __len__(self) -> int:
        return len(self.pixels)

    def images(self) -> Float[Tensor, "n c h w"]:
        """Give them in [0, 1], as an oracle takes them."""
        return self.pixels.to(torch.float32).div_(255)

    def take(self, rows: Int[Tensor, " b"]) -> "Questions":
        """Keep some, in the order of the rows."""
        return Questions(self.pixels[rows], self.kinds[rows], self.families[rows])


@dataclass(frozen=True)
class Answers:
    """Questions with what the teacher decided.

    Args:
        questions: the n images that were asked.
        decisions: a class for each.
        num_classes: of the teacher.

    Raises:
        PlanError: the parts do not fit each other.
    """

    questions: Questions
    decisions: Int[Tensor, " n"]
    num_classes: int

    def __post_init__(self) -> None:
        if len(self.questions) != len(self.decisions):
            raise PlanError(
                f"{len(self.questions)} questions need as many decisions, got {len(self.decisions)}; none was kept"
            )
        if len(self) and not 0 <= int(self.decisions.min()) <= int(self.decisions.max()) < self.num_classes:
            raise PlanError(
                f"decisions must be from 0 to {self.num_classes - 1}, got {int(self.decisions.min())} to "
                f"{int(self.decisions.max())}; none was kept: give the teacher's real number of classes"
            )

    def __len__(self) -> int:
        return len(self.decisions)

    def histogram(self) -> Int[Tensor, " num_classes"]:
        """Count the answers of each class."""
        return torch.bincount(self.decisions, minlength=self.num_classes)

    def joined(self, questions: Questions, decisions: Int[Tensor, " b"]) -> "Answers":
        """Add the answers of another round.

        Args:
            questions: what was asked.
            decisions: what came back, in the same order.

        Returns:
            All of them, the new ones last: a position never changes.
        """
        decided = torch.cat([self.decisions, decisions.to(self.decisions)])
        return Answers(joined([self.questions, questions]), decided, self.num_classes)

    def apart(self, *, every: int = 20) -> Bool[Tensor, " n"]:
        """Tell which answers no training may see: every 20th of those that are no child of another image.

        A child of an image that is learnt from would be no fair test, so recombined and bisected images are left out.

        Args:
            every: one of so many.

        Returns:
            At most 1,000 of them; the same ones whatever is added later.
        """
        made = self.questions.kinds < len(FAMILIES)
        order = made.cumsum(0)
        return made & (order % every == 0) & (order <= every * _MOST_APART)

    def learned(self) -> Int[Tensor, " m"]:
        """Give the positions of the answers that are not kept apart, which a training may see."""
        return (~self.apart()).nonzero()[:, 0]


def no_answers(image_shape: tuple[int, int, int], num_classes: int) -> Answers:
    """Give the memory of a run that has not begun.

    Args:
        image_shape: channels, height and width.
        num_classes: of the teacher.

    Returns:
        No answers.
    """
    none = torch.zeros(0, dtype=torch.int64)
    return Answers(Questions(torch.zeros(0, *image_shape, dtype=torch.uint8), none, none), none, num_classes)


def joined(parts: list[Questions]) -> Questions:
    """Put several sets of questions into one."""
    return Questions(
        torch.cat([part.pixels for part in parts]),
        torch.cat([part.kinds for part in parts]),
        torch.cat([part.families for part in parts]),
    )
