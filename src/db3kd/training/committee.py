"""The committee: networks of ours that learn what a teacher has answered, and what they think.

Members of a round choose what is asked next, and learn briefly; those of the end teach the student and guide searches.
Training and keeping them is a stage (`db3kd.pipeline.learn`). No query is spent here.
"""

from dataclasses import replace
from typing import Annotated

import torch
from annotated_types import Ge

from db3kd.answers import SPREAD, Answers, found_by, is_fresh
from db3kd.arguments import check_arguments, checked_options
from db3kd.augmentation import approve
from db3kd.data import Dataset
from db3kd.data.copies import copies_of
from db3kd.data.thumbnails import nearest, thumbnails
from db3kd.tensors import Float, Int, Tensor
from db3kd.training.objective import Material, Objective, Unasked, Views, balanced
from db3kd.training.recipe import Recipe

_MANY_ANSWERS = 50_000
_MOST_EPOCHS = 60
# How many unasked images members see: so many times the pool, at least and at most; in the end, and to choose a round.
_LIMITS, _CHOOSING_LIMITS = (25, 120_000, 1_500_000), (6, 24_000, 400_000)
# Where it is said how many, one that only chooses sees a fifth of them.
_CHOOSING = 5
# A side from which on images are seen less often: they take longer. So do networks of other names.
_LARGE, _QUICK, _SLOWER = 64, "lenet5", 5
_SMOOTHING = 0.05
# So many images of a pool say how large its groups are.
_MOST_COUNTED = 20_000
# Epochs are only the pieces in which a training goes on after an interruption.
POOL_RECIPE = Recipe("adam", 2e-3, 30, 64, schedule="one-cycle", precision="bfloat16")


@checked_options
class Committee:
    """Networks of ours that learn the answers.

    Args:
        architecture: network of each member, a name as for a student; the teacher's size does well.
        members: networks that learn all answers in the end; 0 for none, also where a search could be guided.
        choosers: networks that learn the answers so far and choose the next questions; two at least can disagree.
        unasked: images of a pool that has a size, asked about or not, that are learned from in a step for each answer:
            what a network says of one has to stay when the image is transformed. 0 to learn from answers alone.
        seen: how many of these each member sees in the end, and a fifth of it where it only chooses; None for 25 times
            the pool, 120,000 at least and 1,500,000 at most, and where it only chooses 6 times the pool, 24,000 at
            least and 400,000 at most. What is no LeNet5 sees a fifth of that at most, and all see fewer images above
            64x64, as their sides are longer.
        recipe: how the members learn; None for one that suits the number of answers. From a pool, those that choose
            learn by it too, and its epochs are the pieces that `seen` is divided into.
        mixtures_per_image: mixtures and noisy images that are asked about for them, per image of a pool of images.
        subspace: directions of their gradients in which a guided search asks.
        rivals: other architectures that are tried on the first answers: where one of them copies this teacher surely
            better, the committee is of it.

    Raises:
        PlanError: a value that no committee can have.
    """

    architecture: str = "lenet5"
    members: Annotated[int, Ge(0)] = 5
    choosers: Annotated[int, Ge(2)] = 3
    unasked: Annotated[int, Ge(0)] = 3
    seen: Annotated[int, Ge(1)] | None = None
    recipe: Recipe | None = None
    mixtures_per_image: Annotated[float, Ge(0)] = 0.0
    subspace: Annotated[int, Ge(1)] = 100
    rivals: tuple[str, ...] = ()

    def of(self, architecture: str) -> "Committee":
        """Give the same committee of certain networks, with nothing left to try."""
        return replace(self, architecture=architecture, rivals=())

    def mixtures_for(self, images: int) -> int:
        """Tell how many mixtures are asked about beside so many images."""
        return round(self.mixtures_per_image * images)

    def recipe_for(self, answers: int, pool: Dataset | None = None, *, choosing: bool = False) -> Recipe:
        """Choose how the members learn so many answers, and a pool beside them where there is one."""
        if self.learns_from(pool):
            return self.recipe or POOL_RECIPE
        return choosing_recipe(answers) if choosing else self.recipe or teaching_recipe(answers)

    def classes_for(self, answers: Answers, pool: Dataset | None) -> int:
        """Tell how many classes the members tell apart."""
        return classes_of(answers) if self.learns_from(pool) else answers.num_classes

    def learns_from(self, pool: Dataset | None) -> bool:
        """Tell whether members learn from images of a pool that nobody asked about."""
        return pool is not None and self.unasked > 0

    def lesson(
        self, answers: Answers, recipe: Recipe, pool: Dataset | None = None, *, choosing: bool = False
    ) -> Material:
        """Say what a member learns: answers that are not set aside, and of a pool what no answer tells."""
        if pool is None or not self.learns_from(pool):
            return lesson_of(answers)
        seen = usually_seen(self.architecture, len(pool), pool.image_shape, choosing=choosing)
        if self.seen is not None:
            seen = self.seen // _CHOOSING if choosing else self.seen
        steps = max(1, seen // self.unasked // recipe.epochs)
        return pool_lesson(answers, pool, for_each=self.unasked, images_per_epoch=steps)


def usually_seen(architecture: str, images: int, shape: tuple[int, int, int], *, choosing: bool = False) -> int:
    """Tell how many unasked images a member sees, of a pool of so many of that shape."""
    return seen_in_all(architecture, images, shape, _CHOOSING_LIMITS if choosing else _LIMITS)


def seen_in_all(architecture: str, images: int, shape: tuple[int, int, int], limits: tuple[int, int, int]) -> int:
    """Tell how many images a network sees of a pool, within limits: so many times the pool, at least and at most.

    Networks that take longer than a LeNet5 see fewer at most, and all see fewer of images above 64x64, as their sides
    are longer.
    """
    passes, least, most = limits
    most = most if architecture.startswith(_QUICK) else most // _SLOWER
    return round(max(least, min(most, passes * images)) * min(1.0, _LARGE / max(shape[1:])))


def lesson_of(answers: Answers) -> Material:
    """Say what a committee learns: the answers that were not set aside, rare classes as much as frequent ones."""
    check_arguments(lesson_of, locals())
    rows = answers.learned()
    return Material(answers.images.pixels[rows], balanced(answers.decisions[rows], answers.num_classes))


def pool_lesson(answers: Answers, pool: Dataset, *, for_each: int, images_per_epoch: int) -> Material:
    """Say what a committee learns from answers and, beside them, from a pool.

    A class that was chosen more often than the pool has it counts as often as the pool has it, by the answers that were
    drawn at random or stand for groups of the pool. How images are transformed is what the teacher does not mind.
    Images that are set aside are not seen, nor are their copies. Where the teacher abstained, that is one more class: a
    pool may be mostly of none.
    """
    rows, classes = (~answers.aside).nonzero()[:, 0], classes_of(answers)
    decisions = answers.decisions[rows]
    told, weights = _telling(answers, pool)
    shares, known = _shares(answers.decisions[told], classes, weights), _shares(decisions, classes)
    aside = answers.images.subset(answers.unseen())
    beside = pool.without([*aside.ids, *(pool.ids[row] for row in copies_of(aside.pixels, pool).tolist())])
    views = approve(answers)
    return Material(
        answers.images.pixels[rows],
        Objective(labels=decisions, smoothing=_SMOOTHING, offsets=(known / shares).log()),
        images_per_epoch,
        Views({one.transform: one.weak for one in views}, {one.transform: one.strong for one in views}),
        Unasked(pool.pixels, beside, shares, len(told), for_each) if len(beside) else None,
    )


def classes_of(answers: Answers) -> int:
    """Tell how many classes a network tells apart that learns from a pool: one more where the teacher abstained."""
    return answers.num_classes + int(not bool(answers.decided.all()))


def _telling(answers: Answers, pool: Dataset) -> tuple[Int[Tensor, " k"], Float[Tensor, " k"]]:
    """Give the rows that tell how frequent a class is in a pool, and how much each counts: 1 in the mean.

    What was drawn at random counts alike. Where some stand for groups, each counts as the images nearest to it.
    """
    spread = answers.marked(lambda origin: found_by(origin) == SPREAD)
    told = ((spread | answers.marked(is_fresh)) & ~answers.aside).nonzero()[:, 0]
    if not bool(spread.any()):
        return told, torch.ones(len(told))
    some = torch.arange(0, len(pool), -(-len(pool) // _MOST_COUNTED))
    groups, _ = nearest(thumbnails(pool.pixels, some), thumbnails(answers.images.pixels[told]))
    counts = torch.bincount(groups, minlength=len(told)).to(torch.float32)
    return told, counts * (len(told) / counts.sum())


def _shares(
    decisions: Int[Tensor, " n"], num_classes: int, weights: Float[Tensor, " n"] | None = None
) -> Float[Tensor, " num_classes"]:
    """The part of each class, none of them nothing."""
    counts = torch.bincount(decisions, weights, minlength=num_classes).to(torch.float32) + 1
    return counts / counts.sum()


def member_seed(seed: int, number: int, answers: int) -> int:
    """Give the seed of a member, far from those of students and teachers: none must begin as its teacher did."""
    check_arguments(member_seed, locals())
    return (seed + 1) * 1_000_003 + 101 * answers + number


def choosing_recipe(answers: int) -> Recipe:
    """Choose how networks learn that only choose what is asked next: 4 epochs, and 100,000 images more."""
    check_arguments(choosing_recipe, locals())
    return _recipe(answers, epochs=4, seen=100_000)


def teaching_recipe(answers: int) -> Recipe:
    """Choose how networks learn that teach in the end: 10 epochs, and 400,000 images more."""
    check_arguments(teaching_recipe, locals())
    return _recipe(answers, epochs=10, seen=400_000)


def _recipe(answers: int, *, epochs: int, seen: int) -> Recipe:
    batch = 128 if answers >= _MANY_ANSWERS else 64
    wanted = min(_MOST_EPOCHS, epochs + seen // max(1, answers))
    return Recipe("adam", 2e-3, wanted, batch, schedule="one-cycle", precision="bfloat16")
