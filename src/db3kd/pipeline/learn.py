"""The stage in which a committee learns: each member is a part, and goes on after an interruption.

`train_part` is the way in which a run trains a network, here and for students (`teach`); `train_together` several.
"""

import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from threading import Lock
from typing import Protocol, final, runtime_checkable

import torch
from torch import nn

from db3kd.answers import Answers
from db3kd.context import count_cores
from db3kd.data import Dataset
from db3kd.models import build, weights
from db3kd.models.placement import find_gpus, one_thread
from db3kd.runs import Keeper, Kept, Key, Outline, Part, Stage, key_of, numbered_part
from db3kd.runs.notebook import Notebook
from db3kd.scaling import Job, train_as_tasks, train_side_by_side
from db3kd.scaling.job import Hear
from db3kd.training import (
    Committee,
    Epoch,
    Material,
    Recipe,
    TrainingState,
    can_learn_together,
    fit,
    fit_together,
    member_seed,
)

COMMITTEE = "committee"
# After so many epochs lessons are exchanged that never are.
ALWAYS = sys.maxsize
# From so many answered images on, the seconds that it takes to start processes are worth it.
_LONG = 16_000


@runtime_checkable
class Lessons(Protocol):
    """What a network learns, epoch by epoch."""

    def material(self, epoch: int) -> tuple[Material, int]:
        """Give what is learned in an epoch, counted from 0, and after how many finished epochs it is exchanged."""


@final
class LearnCommittee:
    """Trains networks on all answers that a training may see."""

    kind = weights.FORMAT

    def __init__(
        self,
        name: str,
        answers: Answers,
        committee: Committee,
        *,
        members: int,
        seed: int,
        pool: Dataset | None = None,
        choosing: bool = False,
    ) -> None:
        self._name, self._answers, self._committee, self._pool = name, answers, committee, pool
        self._members, self._seed, self._choosing = members, seed, choosing
        self._learned = len(answers.learned())
        self._ahead: dict[int, Kept] = {}
        self._stackable: bool | None = None
        self._recipe = committee.recipe_for(self._learned, pool, choosing=choosing)
        self.source = answers.digest

    @property
    def outline(self) -> Outline:
        return outline_of(self._name, self._members, self._recipe)

    @property
    def key(self) -> Key:
        committee = self._committee
        asked = {"architecture": committee.architecture, "recipe": key_of(committee.recipe), "seed": self._seed}
        if not committee.learns_from(self._pool):
            return asked
        return {**asked, "unasked": committee.unasked, "seen": committee.seen}

    def make(self, number: int, before: Sequence[Kept], keeper: Keeper) -> Kept:
        """Train one member; on a GPU, or where it takes long, all that are missing learn at the same time."""
        if number in self._ahead:
            return self._ahead.pop(number)
        trainings = self._trainings
        one, gpus = trainings[number], find_gpus(keeper.context.device)
        if gpus or one.is_worth_a_process(keeper):
            missing = [
                later for later in range(number, self._members) if keeper.read(trainings[later].part, self) is None
            ]
            if gpus:
                self._ahead = self._train_stacked(trainings, missing, gpus, keeper)
            elif len(missing) > 1:
                together = train_together([trainings[later] for later in missing], keeper)
                self._ahead = dict(zip(missing, together, strict=True))
            if self._ahead:
                return self._ahead.pop(number)
        with one_thread():
            return train_part(keeper, one)

    @cached_property
    def _trainings(self) -> "list[Training]":
        """What each member learns."""
        committee, recipe, learned = self._committee, self._recipe, self._learned
        architecture, classes = committee.architecture, committee.classes_for(self._answers, self._pool)
        lesson = Fixed(committee.lesson(self._answers, recipe, self._pool, choosing=self._choosing))
        return [
            Training(self, part, architecture, classes, member_seed(self._seed, number, learned), lesson, recipe)
            for number, part in enumerate(self.outline.parts)
        ]

    def _train_stacked(
        self, trainings: "Sequence[Training]", missing: Sequence[int], gpus: Sequence[str], keeper: Keeper
    ) -> dict[int, Kept]:
        """Train as one network what can be; nothing, and it is left to train one after another."""
        if self._stackable is False or len(trainings) < 2:
            return {}
        material = trainings[0].material
        networks = [build(one.architecture, material.image_shape, one.num_classes, seed=one.seed) for one in trainings]
        self._stackable = can_learn_together(networks, material, self._recipe, gpus[0])
        if not self._stackable:
            return {}
        lock, notebooks = Lock(), {number: keeper.training(trainings[number].part, self) for number in missing}

        def hear(number: int, epoch: Epoch, snapshot: Callable[[], TrainingState]) -> None:
            with lock:
                notebooks[number].note(epoch.number, asdict(epoch), lambda: snapshot().tensors)

        trained = fit_together(
            networks,
            material,
            self._recipe,
            seeds=[one.seed for one in trainings],
            devices=gpus[: len(trainings)],
            resume={number: _resumed(notebook) for number, notebook in notebooks.items()},
            on_epoch=hear,
        )
        return {number: trainings[number].kept(network, material.image_shape) for number, network in trained.items()}

    def join(self, parts: Sequence[Kept]) -> tuple[nn.Module, ...]:
        return tuple(network_of(part) for part in parts)


@final
class Fixed:
    """Lessons that stay as they are."""

    def __init__(self, material: Material) -> None:
        self._material = material

    def material(self, epoch: int) -> tuple[Material, int]:
        return self._material, ALWAYS


def outline_of(name: str, members: int, recipe: Recipe) -> Outline:
    """Tell beforehand what a committee trains."""
    parts = tuple(Part(numbered_part(name, number), epochs=recipe.epochs) for number in range(members))
    return Outline(name, parts, "members")


@dataclass(frozen=True, eq=False)
class Training:
    """A network that is a part of a run, and what it learns from its first epoch to its last."""

    stage: Stage[object]
    part: Part
    architecture: str
    num_classes: int
    seed: int
    lessons: Lessons
    recipe: Recipe

    @property
    def material(self) -> Material:
        """What is learned first, and all along where it is never exchanged."""
        return self.lessons.material(0)[0]

    def is_worth_a_process(self, keeper: Keeper) -> bool:
        """Tell whether it takes long, and could be done beside others in a process of its own."""
        material = self.material
        seen = self.recipe.epochs * (material.images_per_epoch or len(material))
        side_by_side = count_cores() > 1 or keeper.context.clustered
        return side_by_side and seen >= _LONG and _may_leave(self.architecture, keeper)

    def kept(self, network: nn.Module, shape: tuple[int, int, int]) -> Kept:
        """Give a network that was trained on images of a shape as a part."""
        about = weights.describe(self.architecture, shape, self.num_classes, module=network)
        return Kept(network.state_dict(), about)


def train_together(trainings: Sequence[Training], keeper: Keeper) -> Generator[Kept]:
    """Train networks beside each other, or go on with them; each is given when it and those before it are done.

    On a cluster all of them learn the same.
    """
    notebooks = [keeper.training(one.part, one.stage) for one in trainings]
    jobs = [
        Job(one.architecture, one.num_classes, one.seed, _resumed(notebook))
        for one, notebook in zip(trainings, notebooks, strict=True)
    ]
    hear = _noted(notebooks)
    if keeper.context.clustered:
        material, recipe = trainings[0].material, trainings[0].recipe
        networks = (network for network, _ in train_as_tasks(jobs, material, recipe, hear=hear))
    else:
        lessons = [(one.material, one.recipe) for one in trainings]
        networks = train_side_by_side(jobs, lessons, cores=count_cores(), hear=hear)
    with closing(networks):
        for one, network in zip(trainings, networks, strict=True):
            yield one.kept(network, one.material.image_shape)


def train_part(keeper: Keeper, training: Training) -> Kept:
    """Train a network as a part of a run, or go on with it where it was interrupted."""
    architecture, num_classes, recipe = training.architecture, training.num_classes, training.recipe
    notebook = keeper.training(training.part, training.stage)
    state = _resumed(notebook)
    context = replace(keeper.context, seed=training.seed)
    done = 0 if state is None else state.epoch
    network: nn.Module | None = None
    student: nn.Module | None = None
    latest: Callable[[], TrainingState] | None = None

    def hear_here(epoch: Epoch, snapshot: Callable[[], TrainingState]) -> None:
        nonlocal latest
        latest = snapshot
        notebook.note(epoch.number, asdict(epoch), lambda: snapshot().tensors)

    while done < recipe.epochs:
        material, until = training.lessons.material(done)
        until = min(until, recipe.epochs)
        if keeper.context.clustered and _may_leave(architecture, keeper):
            job = Job(architecture, num_classes, training.seed, state)
            threads = torch.get_num_threads()
            ((student, state),) = train_as_tasks(
                [job], material, recipe, hear=_noted([notebook]), until=until, threads=threads
            )
        else:
            if network is None:
                network = build(architecture, material.image_shape, num_classes, seed=training.seed)
            student = fit(network, material, recipe, context=context, until=until, resume=state, on_epoch=hear_here)
            if until < recipe.epochs:
                assert latest is not None, "at least one epoch was trained"
                state = latest()
        done = until
    assert student is not None, "a training whose last epoch is done leaves no state"
    return training.kept(student, material.image_shape)


def _may_leave(architecture: str, keeper: Keeper) -> bool:
    """Whether a network may be trained in another process: one of the user's own script is unknown there."""
    return keeper.context.device == "cpu" and not architecture.startswith("__main__:")


def _noted(notebooks: Sequence[Notebook]) -> Hear:
    """Write down what trainings elsewhere bring, of which several may speak at once."""
    lock = Lock()

    def hear(place: int, epoch: Epoch, state: TrainingState | None) -> None:
        with lock:
            notebooks[place].note(epoch.number, asdict(epoch), None if state is None else lambda: state.tensors)

    return hear


def _resumed(notebook: Notebook) -> TrainingState | None:
    """Where a training was interrupted; None for one that begins."""
    resumed = notebook.resume()
    return None if resumed is None else TrainingState(*resumed)


def network_of(kept: Kept) -> nn.Module:
    """Build the network of a part, in eval mode on the CPU."""
    network = weights.build_again(kept.about)
    network.load_state_dict(dict(kept.tensors))
    return network.eval()


def choosers(number: int, answers: Answers, committee: Committee, pool: Dataset | None, *, seed: int) -> LearnCommittee:
    """Give the stage of the networks that choose a round."""
    return LearnCommittee(
        f"choosers-{number}",
        answers,
        committee,
        members=committee.choosers,
        seed=seed,
        pool=pool,
        choosing=True,
    )
