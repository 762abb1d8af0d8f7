"""The stage in which students learn, and how long they do. What they are taught is in `lessons` and `opinions`."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from torch import nn

from db3kd.data import Dataset
from db3kd.errors import InputError
from db3kd.models import build, weights
from db3kd.pipeline.learn import Lessons, Training, network_of, train_part
from db3kd.pipeline.story import FixedLesson, Lesson, Pushed, Story, Taken
from db3kd.runs import Keeper, Kept, Key, Outline, Part, key_of
from db3kd.training import Recipe, adapted, for_photos, student_recipe
from db3kd.training.committee import seen_in_all
from db3kd.training.steps import has_batch_norm

STUDENT = "student"
_LEAST_EPOCHS, _MOST_EPOCHS, _QUERIES_OF_LEAST_EPOCHS = 60, 480, 25_000
# How many images of a pool a student sees: so many times the pool, at least and at most.
_LIMITS = (50, 100_000, 3_000_000)


@final
@dataclass(eq=False)
class Teach:
    """Trains one student by lessons that were made of something with a digest.

    Where it was trained beside others, `ahead` is what came of it.
    """

    name: str
    lessons: Lessons
    architecture: str
    recipe: Recipe
    about: Key
    digest: str
    num_classes: int
    seed: int
    ahead: Kept | None = None

    kind = weights.FORMAT

    @property
    def source(self) -> str:
        # A recipe that follows from what was bought is exchanged with it.
        return f"{self.digest}/{json.dumps(key_of(self.recipe))}"

    @property
    def outline(self) -> Outline:
        return Outline(self.name, (Part(self.name, epochs=self.recipe.epochs),))

    @property
    def key(self) -> Key:
        return {"student": self.architecture, "seed": self.seed, **self.about}

    @property
    def training(self) -> Training:
        """What is learned, as its one part."""
        (part,) = self.outline.parts
        return Training(self, part, self.architecture, self.num_classes, self.seed, self.lessons, self.recipe)

    def make(self, number: int, before: Sequence[Kept], keeper: Keeper) -> Kept:
        if self.ahead is not None:
            return self.ahead
        return train_part(keeper, self.training)

    def join(self, parts: Sequence[Kept]) -> nn.Module:
        return network_of(parts[0])


def check_networks(story: Story) -> None:
    """Refuse networks that cannot be built, or cannot learn what is bought, before a query is spent on them."""
    spec, pool, committee = story.teacher.spec, story.pool, story.committee
    networks = [story.student.architecture]
    networks += [] if committee is None else [committee.architecture]
    if isinstance(pool, Pushed) and pool.committee is not None:
        networks.append(pool.committee.architecture)
    # Built and dropped: a network that cannot be built must not show after the budget is spent.
    normed = {name: has_batch_norm(build(name, spec.input_shape, spec.num_classes)) for name in networks}
    if isinstance(pool, Pushed | Taken) or story.budget.questions(pool.size) != 1:
        return
    single, way_out = "the budget pays for one answer", "raise the budget"
    if pool.size == 1:
        single, way_out = "the pool holds one image", "name more images"
    learning = [story.student.architecture] if isinstance(story.lesson, FixedLesson) else []
    learning += [committee.architecture] if committee is not None and story.has_members else []
    for name in learning:
        if normed[name]:
            raise InputError(
                f"{single}, and {name!r} learns from two answers or more, since it has batch norm; nothing was asked: "
                f"{way_out}, or name a network without batch norm"
            )


def settled_recipe(story: Story, questions: int) -> Recipe:
    """Choose how a student learns: as it says, or by a preset with what it changes."""
    student = story.student
    if student.recipe is not None:
        return student.recipe
    usual = recipe_for(story.lesson, student.architecture, questions, story.images)
    return adapted(for_photos(usual) if student.preset == "photo" else usual, student.changes)


def taught(architecture: str, pool: Dataset) -> int:
    """Tell how many images of a pool a student is taught: all, or as many of a very large one as it sees in the end."""
    return min(len(pool), _seen(architecture, pool))


def _seen(architecture: str, pool: Dataset) -> int:
    return seen_in_all(architecture, len(pool), pool.image_shape, _LIMITS)


def recipe_for(lesson: Lesson, architecture: str, questions: int, pool: Dataset | None = None) -> Recipe:
    """Choose a preset: the paper's for fixed labels, one cycle for what a committee thinks.

    A pool is seen 50 times, 100,000 images at least and 3,000,000 at most (600,000 where it is no LeNet5), fewer where
    they are large, in no more than 480 epochs. Of endless candidates it sees more where more questions were asked. A
    pool that is larger than that is seen in part, once.
    """
    if isinstance(lesson, FixedLesson):
        return student_recipe(architecture)
    if pool is None:
        epochs = max(_LEAST_EPOCHS, round(_LEAST_EPOCHS * questions / _QUERIES_OF_LEAST_EPOCHS))
    else:
        epochs = -(-_seen(architecture, pool) // len(pool))
    return Recipe("adam", 2e-3, min(_MOST_EPOCHS, epochs), 128, schedule="one-cycle", precision="bfloat16")
