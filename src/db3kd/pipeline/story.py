"""One whole run, as objects: nothing here reads strings of a plan, and nothing here acts.

Made by `db3kd.plan` and by `db3kd.distill`; the stages of this room do it, in the order of `tell.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Interval

from db3kd.acquisition import Acquisition, Random, Rounds
from db3kd.answers import Answers
from db3kd.arguments import checked_options
from db3kd.boundary import Measurement
from db3kd.data import Dataset, Reading
from db3kd.pipeline.budget import Budget
from db3kd.pools import ImagePool, Joined, NoiseOptions, Pool, Repulsion, Surrogates
from db3kd.softening import Smoothed, Softening
from db3kd.teachers import Teacher
from db3kd.training import Committee, Recipe

Baseline = Literal["true-labels", "hard-decisions"]
Preset = Literal["usual", "photo"]
TRUE_LABELS: Baseline = "true-labels"


@dataclass(frozen=True)
class Pushed:
    """A pool that spends: noise of each class, pushed away from the boundary as in the paper.

    A committee learns from the noise and guides a guided search, where there is one.
    """

    noise: NoiseOptions
    repulsion: Repulsion
    committee: Committee | None = None

    name = "repulsion"
    size = None

    def starts(self, num_classes: int) -> int:
        """Most images that are pushed."""
        return self.noise.images_per_class * num_classes


@dataclass(frozen=True, eq=False)
class Taken:
    """A pool that another run has asked the same teacher about: its answers are taken over, and none is paid again."""

    answers: Answers

    name = "taken"

    @property
    def size(self) -> int:
        """How many images were asked about."""
        return len(self.answers)


Source = Pool | Pushed | Taken


def has_labels(pool: Source) -> bool:
    """Tell whether all images of a pool come with true labels."""
    if isinstance(pool, Taken):
        return pool.answers.images.labels is not None
    if isinstance(pool, Joined):
        return all(has_labels(one) for one in pool.pools)
    return isinstance(pool, ImagePool) and pool.images.labels is not None


@checked_options
class FixedLesson:
    """Learn the images that were asked about: their class and a soft label.

    Args:
        softening: the rule that makes soft labels.
        hard_weight: weight of the cross-entropy with the class.
        soft_weight: weight of the divergence from the soft label.
        classes: "decisions" of the teacher, or the "true" labels of the data set as in the paper.
        queries_per_pair: learn from the distances of this snapshot; None for the last ones.
        mixtures: whether the mixtures that were asked about are learned as well; an epoch is as long as without them.
    """

    softening: Softening = field(default_factory=Smoothed)
    hard_weight: Annotated[float, Ge(0)] = 1.0
    soft_weight: Annotated[float, Ge(0)] = 1.0
    classes: Literal["decisions", "true"] = "decisions"
    queries_per_pair: Annotated[int, Ge(1)] | None = None
    mixtures: bool = False


@checked_options
class CommitteeLesson:
    """Learn what the committee thinks of the whole pool, where it ends, or else of candidates that never do.

    What it thinks of an image that was asked about is mixed with the teacher's decision.

    Args:
        temperature: temperature at which student and committee are compared.
        trust: weight of the teacher's decision against the committee's opinion, from 0 to 1.
        candidates: new images in each set, from an endless pool; None for what suits the number of answers.
        answered: most answered images in each set, where the pool is endless.
    """

    temperature: Annotated[float, Gt(0)] = 2.0
    trust: Annotated[float, Interval(ge=0, le=1)] = 0.5
    candidates: Annotated[int, Ge(1)] | None = None
    answered: Annotated[int, Ge(1)] = 16_384


Lesson = FixedLesson | CommitteeLesson


@dataclass(frozen=True)
class Student:
    """Who learns in the end.

    Args:
        architecture: a name, such as lenet5, lenet5-half, lenet5-fifth, residual-half or alexnet-half; timm:NAME,
            torchvision:NAME or hf:NAME with ?option=value; or package.module:factory. Left out, it is lenet5-half, or
            residual-half for images other than 16 to 40 pixels; without images, as the committee turns out to be.
        recipe: how; None for a preset.
        baselines: students that are trained beside it on the same images.
        preset: which one: "usual" for that of the lesson, "photo" for deep networks of photos: AdamW, a cosine with
            warmup, and bfloat16 where it pays.
        changes: options of the preset that are to differ, by name; of no recipe that is given.
        follows: whether it is built as the committee turns out to be, where several kinds of networks are tried.
    """

    architecture: str = "lenet5-half"
    recipe: Recipe | None = None
    baselines: tuple[Baseline, ...] = ()
    preset: Preset = "usual"
    changes: Mapping[str, Any] = field(default_factory=dict)
    follows: bool = False

    @property
    def asked(self) -> Recipe | Mapping[str, Any] | None:
        """What was said of how it learns; None where nothing was."""
        preset = {} if self.preset == "usual" else {"preset": self.preset}
        return self.recipe or {**self.changes, **preset} or None


@dataclass(frozen=True)
class Story:
    """One whole run; what is None is not wanted. `names` tells the report of the teacher: "teacher", "parameters"."""

    teacher: Teacher
    pool: Source
    rounds: Rounds = field(default_factory=Rounds.once)
    acquisition: Acquisition = field(default_factory=Random)
    committee: Committee | None = None
    measurement: Measurement | None = None
    lesson: Lesson = field(default_factory=FixedLesson)
    student: Student = field(default_factory=Student)
    held_out: Dataset | None = None
    budget: Budget = field(default_factory=Budget)
    names: Mapping[str, str] = field(default_factory=dict)

    @property
    def images(self) -> Dataset | None:
        """All images of the pool, where it is images at hand."""
        return self.pool.images if isinstance(self.pool, ImagePool) else None

    @property
    def readings(self) -> tuple[Reading, ...]:
        """What came of reading the pictures of the pool and those held out."""
        pools = self.pool.pools if isinstance(self.pool, Joined) else (self.pool,)
        sets = [pool.images for pool in pools if isinstance(pool, ImagePool)]
        sets += [pool.pictures for pool in pools if isinstance(pool, Surrogates)]
        sets += [] if self.held_out is None else [self.held_out]
        return tuple(images.reading for images in sets if images.reading is not None)

    @property
    def teaches_opinions(self) -> bool:
        """Whether the student learns what a committee thinks."""
        return isinstance(self.lesson, CommitteeLesson) or self.lesson.softening.needs == "opinions"

    @property
    def has_members(self) -> bool:
        """Whether networks are trained that learn the answers in the end."""
        guided = self.measurement is not None and self.measurement.method.guided
        return self.committee is not None and self.committee.members > 0 and (guided or self.teaches_opinions)
