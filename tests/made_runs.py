"""Small stories for tests of runs: tiny teachers and networks, and stages that were interrupted or forbidden to ask."""

from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import torch
from torch import nn

from db3kd.acquisition import Disagreement, Margin, Random, Rounds
from db3kd.boundary import BoundaryDistance, GuidedDistance, Measurement
from db3kd.context import Context, silent
from db3kd.data import Dataset, from_arrays
from db3kd.pipeline.budget import Budget
from db3kd.pipeline.conclude import conclude
from db3kd.pipeline.push import push
from db3kd.pipeline.repel import Made
from db3kd.pipeline.story import CommitteeLesson, FixedLesson, Pushed, Story, Student
from db3kd.pipeline.tell import Purchase, own_name, tell
from db3kd.pools import ImagePool, NoiseOptions, Priors, Repulsion
from db3kd.report.schema import Report
from db3kd.runs import Keeper, Run
from db3kd.softening import Inverse, Opinions
from db3kd.teachers import Teacher, TeacherSpec
from db3kd.tensors import Float, Int, Tensor
from db3kd.training import Committee, Recipe
from known_teachers import Failing, Sectors, draw_images

NETWORK = "made_networks:two_layers"
QUICK = Recipe("adam", 1e-2, epochs=2, batch_size=16)
SHAPE, CLASSES = (1, 6, 6), 3
MEMBERS = Committee(NETWORK, members=2, choosers=2, recipe=QUICK, subspace=4, seen=60)
STUDENT = Student(NETWORK, QUICK)
BD = Measurement(BoundaryDistance(exemplars=2), 24, snapshots=(10,))
GUIDED = Measurement(GuidedDistance(directions=6), 16)
PUSHED = Pushed(
    NoiseOptions(images_per_class=3, rounds=3, images_per_round=12),
    Repulsion(BoundaryDistance(exemplars=2), 12, 2, (1, 2)),
)


def make_small(patch: pytest.MonkeyPatch) -> None:
    """Few questions where no budget says how many, brief trainings of choosers, small sets of candidates."""
    patch.setattr("db3kd.pipeline.budget._USUAL_QUESTIONS", 60)
    patch.setattr("db3kd.training.committee._MOST_EPOCHS", 2)
    patch.setattr("db3kd.training.committee._LIMITS", (30, 100, 2_000_000))
    patch.setattr("db3kd.pipeline.opinions._LEAST_CANDIDATES", 64)
    patch.setattr("db3kd.pipeline.teach._LIMITS", (50, 100, 3_000_000))


class Stopped(BaseException):
    """Stands for whatever ends a process, such as Ctrl-C."""


@dataclass
class Small:
    """`Sectors` in small calls, so that a few images are several of them; sure of its classes or silent on some."""

    shape: tuple[int, int, int] = SHAPE
    classes: int = CLASSES
    max_batch: int = 8
    abstains: bool = False
    levels: int | None = None
    fingerprint: str = "small"
    asked: list[bytes] = field(default_factory=list)
    calls: int = 0

    def __post_init__(self) -> None:
        self._sectors = Sectors(self.shape, self.classes)
        self.spec = TeacherSpec(
            self.shape,
            self.classes,
            max_batch=self.max_batch,
            fingerprint=self.fingerprint,
            levels=self.levels,
            abstains=self.abstains,
        )

    def __call__(self, images: Float[Tensor, "b c h w"]) -> Int[Tensor, " b"]:
        self.calls += 1
        self.asked += [image.numpy().tobytes() for image in images]
        decided = self._sectors(images)
        silent_on = self.abstains & (images[:, 0, 0, 0] > 0.8)
        return torch.where(silent_on, self.classes, decided)

    @property
    def rows(self) -> int:
        """How many rows it saw."""
        return len(self.asked)


def dataset(images: Float[Tensor, "n c h w"], *, labelled: bool = False, name: str = "made") -> Dataset:
    """Images with ids, and with true labels that differ from what the teacher says."""
    return from_arrays(images, torch.arange(len(images)) % CLASSES if labelled else None, name=name)


def images(count: int = 24, *, seed: int = 0, labelled: bool = False, name: str = "made") -> Dataset:
    return dataset(draw_images(Sectors(SHAPE, CLASSES), count, seed=seed), labelled=labelled, name=name)


def story(teacher: Teacher, **changes: object) -> Story:
    """Ask about 24 images, and teach smoothed decisions."""
    plain = Story(teacher, ImagePool(images()), student=STUDENT, budget=Budget(repeats=4))
    return replace(plain, **changes)  # type: ignore[arg-type]  # the tests' own fields


def stories(teacher: Teacher) -> dict[str, Story]:
    """One of each kind that a run can be."""
    mixing = replace(MEMBERS, mixtures_per_image=1.0)
    endless = CommitteeLesson(candidates=32, answered=64)
    priors = Priors(teacher.spec.input_shape)
    return {
        "images": story(teacher),
        "distances": story(
            teacher, measurement=BD, lesson=FixedLesson(Inverse()), held_out=images(6, seed=9, labelled=True)
        ),
        "guided": story(teacher, measurement=GUIDED, committee=mixing, lesson=FixedLesson(Opinions(), mixtures=True)),
        "rounds": story(
            teacher, acquisition=Disagreement(), rounds=Rounds(0.5, 2, between=0.0, aside_every=6), committee=MEMBERS
        ),
        "pool": story(
            teacher,
            pool=ImagePool(images(60)),
            rounds=replace(Rounds.of_pool(), views=0.5, target_agreement=0.999),
            acquisition=Margin(),
            committee=replace(MEMBERS, rivals=("made_networks:one_layer",)),
            lesson=CommitteeLesson(),
            budget=Budget(images=48, repeats=2),
        ),
        "priors": story(
            teacher,
            pool=priors,
            rounds=Rounds(0.4, 2, between=0.4, candidates=3),
            acquisition=Disagreement(),
            committee=replace(MEMBERS, rivals=("made_networks:one_layer",)),
            lesson=endless,
            budget=Budget(repeats=2),
        ),
        "pushed": story(teacher, pool=PUSHED, measurement=BD, lesson=FixedLesson(Inverse())),
        "pushed by a committee": story(
            teacher,
            pool=replace(
                PUSHED, repulsion=replace(PUSHED.repulsion, method=GuidedDistance(directions=6)), committee=mixing
            ),
            acquisition=Random(),
        ),
    }


def keeper_of(run: Run, *, context: Context | None = None) -> Keeper:
    return Keeper(run, context or Context(progress=silent))


def told(told_story: Story, folder: Path, *, context: Context | None = None) -> tuple[Purchase, nn.Module]:
    """Tell it in a run, without a report."""
    with Run(folder) as run:
        purchase, students = tell(told_story, keeper_of(run, context=context))
    return purchase, students[own_name(told_story)]


def concluded(told_story: Story, folder: Path) -> Report:
    """Tell it to its end."""
    with Run(folder) as run:
        keeper = keeper_of(run)
        purchase, students = tell(told_story, keeper)
        return conclude(told_story, keeper, purchase, students)


def push_noise(folder: Path, teacher: Teacher, pushed: Pushed = PUSHED, *, budget: Budget | None = None) -> Made:
    """Ask about noise and push it, in a run."""
    with Run(folder) as run:
        return push(story(teacher, pool=pushed, budget=budget or Budget()), pushed, keeper_of(run))


def parts_of(folder: Path) -> dict[str, bytes]:
    """All files that stages made, by their names."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*.safetensors"))}


def spent(folder: Path) -> int:
    with Run(folder) as run:
        return run.statement().total


def untouched(teacher: Teacher) -> Failing:
    """A teacher that must not be asked."""
    return Failing(teacher, 1, lambda: AssertionError("the teacher was asked"))
