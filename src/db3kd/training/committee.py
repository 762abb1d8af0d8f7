"""The committee: networks of ours that learn what a teacher has answered, and what they think.

Members of a round choose what is asked next, and learn briefly; those of the end teach the student and guide searches.
Training and keeping them is a stage (`db3kd.pipeline.learn`). No query is spent here.
"""

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge

from db3kd.answers import Answers
from db3kd.options import check_options
from db3kd.training.objective import Material, balanced
from db3kd.training.recipe import Recipe

_MANY_ANSWERS = 50_000
_MOST_EPOCHS = 60


@dataclass(frozen=True)
class Committee:
    """Networks of ours that learn the answers.

    Args:
        architecture: of each, as `db3kd.models.build` takes it; the teacher's size does well.
        members: networks that learn all answers in the end; 0 for none, also where a search could be guided.
        choosers: networks that learn the answers so far and choose the next questions; two at least can disagree.
        recipe: how the members learn; None for one that suits the number of answers.
        mixtures_per_image: mixtures and noisy images that are asked about for them, per image of a pool of images.
        subspace: directions of their gradients in which a guided search asks.

    Raises:
        PlanError: a value that no committee can have.
    """

    architecture: str = "lenet5"
    members: Annotated[int, Ge(0)] = 5
    choosers: Annotated[int, Ge(2)] = 3
    recipe: Recipe | None = None
    mixtures_per_image: Annotated[float, Ge(0)] = 0.0
    subspace: Annotated[int, Ge(1)] = 100

    def __post_init__(self) -> None:
        check_options(self)

    def mixtures_for(self, images: int) -> int:
        """Tell how many mixtures are asked about beside so many images."""
        return round(self.mixtures_per_image * images)

    def recipe_for(self, answers: int) -> Recipe:
        """Choose how the members learn so many answers."""
        return self.recipe or teaching_recipe(answers)


def lesson_of(answers: Answers) -> Material:
    """Say what a committee learns: the answers that were not set aside, rare classes as much as frequent ones."""
    rows = answers.learned()
    return Material(answers.images.pixels[rows], balanced(answers.decisions[rows], answers.num_classes))


def member_seed(seed: int, number: int, answers: int) -> int:
    """Give the seed of a member, far from those of students and teachers: none must begin as its teacher did."""
    return (seed + 1) * 1_000_003 + 101 * answers + number


def choosing_recipe(answers: int) -> Recipe:
    """Choose how networks learn that only choose what is asked next: 4 epochs, and 100,000 images more."""
    return _recipe(answers, epochs=4, seen=100_000)


def teaching_recipe(answers: int) -> Recipe:
    """Choose how networks learn that teach in the end: 10 epochs, and 400,000 images more."""
    return _recipe(answers, epochs=10, seen=400_000)


def _recipe(answers: int, *, epochs: int, seen: int) -> Recipe:
    batch = 128 if answers >= _MANY_ANSWERS else 64
    wanted = min(_MOST_EPOCHS, epochs + seen // max(1, answers))
    return Recipe("adam", 2e-3, wanted, batch, schedule="one-cycle", precision="bfloat16")
