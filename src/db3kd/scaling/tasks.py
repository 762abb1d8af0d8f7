"""Trainings as tasks of a Ray cluster, each on any machine of it; one that is lost goes on elsewhere.

The result is byte for byte that of this process with as many threads, where the machines compute alike.
"""

import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from torch import nn

from db3kd.context import Context
from db3kd.errors import ClusterLost, Db3kdError
from db3kd.models import build
from db3kd.scaling.connection import cores_of
from db3kd.scaling.job import SECONDS_BETWEEN_STATES, Hear, Job, import_from
from db3kd.scaling.parcel import Parcel, unwrapped, wrapped
from db3kd.training import Epoch, Material, Recipe, TrainingState, fit

# How often in a row a task may be lost without a state more.
_LOSSES = 3

# What a task hands out: an epoch, the state after it where one is due, and the weights at the end.
_Piece = tuple[Epoch, TrainingState | None, dict[str, torch.Tensor] | None]


class _Lesson(NamedTuple):
    """How all tasks of a call learn, and of what shape an image is; what they learn lies with Ray."""

    shape: tuple[int, int, int]
    recipe: Recipe
    until: int
    threads: int
    path: Sequence[str]


def train_as_tasks(
    jobs: Sequence[Job],
    material: Material,
    recipe: Recipe,
    *,
    hear: Hear,
    until: int | None = None,
    threads: int = 1,
) -> list[tuple[nn.Module, TrainingState]]:
    """Train networks on the cluster that this process is connected to, as many at once as it has cores.

    Tasks claim no cores: replicas hold theirs for the whole run, and are idle while networks learn.

    Args:
        jobs: the networks.
        material: what all of them learn. A pool that lies in a file is opened where a task runs, at the same place.
        recipe: how.
        hear: called with the number of the job, what an epoch brought, and the state after it, where there is one, from
            a thread for each job.
        until: stop after so many epochs; None for all of the recipe.
        threads: with which each computes: another number may change the last bit.

    Returns:
        The trained networks in eval mode with the states to go on from, in the order of the jobs.

    Raises:
        Db3kdError: what a training raised, or one was lost again and again.
    """
    import ray

    tensors, about = wrapped(material, named=True)
    sent = ray.put(({name: tensor.cpu().numpy() for name, tensor in tensors.items()}, about))
    lesson = _Lesson(material.image_shape, recipe, until or recipe.epochs, threads, sys.path)
    # No retries of Ray's: they would begin anew.
    remote = ray.remote(num_cpus=0, max_retries=0, scheduling_strategy="SPREAD")
    # Ray asks whether it is given a generator, which a function whose shapes are checked no longer tells.
    task = remote(lambda *asked: (yield from _pieces(*asked)))
    cores = int(cores_of(ray)) // threads

    def train(number: int) -> tuple[nn.Module, TrainingState]:
        weights, state = _follow(ray, lambda job: task.remote(job, lesson, sent), number, jobs[number], hear)
        network = build(jobs[number].architecture, lesson.shape, jobs[number].num_classes, bare=True)
        network.load_state_dict(weights)
        return network.eval(), state

    with ThreadPoolExecutor(max(1, min(len(jobs), cores))) as crew:
        return list(crew.map(train, range(len(jobs))))


def _follow(
    ray: Any, begin: Callable[[Job], Iterable[Any]], number: int, job: Job, hear: Hear
) -> tuple[dict[str, torch.Tensor], TrainingState]:
    """Hear what a task says until it ends; where it was lost, go on from the last state that came."""
    heard, losses = 0, 0
    while True:
        try:
            for reference in begin(job):
                epoch, state, weights = ray.get(reference)
                if state is not None:
                    job, losses = replace(job, state=state), 0
                if epoch.number > heard:
                    heard = epoch.number
                    hear(number, epoch, state)
        except ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, Db3kdError):
                raise error.cause from None
            raise Db3kdError(
                f"a training on the cluster raised {error.cause!r}; what was trained before is kept: correct it, or "
                "run again without the cluster to go on"
            ) from error
        except ray.exceptions.RayError as error:
            losses += 1
            if losses > _LOSSES:
                raise ClusterLost(
                    f"a training on the cluster was lost {losses} times in a row ({error}); what was trained before is "
                    "kept: see to the cluster, or run again without it to go on"
                ) from error
        else:
            assert weights is not None, "the last piece has them"
            assert job.state is not None, "and the state"
            return weights, job.state


def _pieces(job: Job, lesson: _Lesson, sent: tuple[Mapping[str, Any], Mapping[str, str]]) -> Iterator[_Piece]:
    """Train one network, where Ray runs it."""
    import_from(lesson.path)
    torch.set_num_threads(lesson.threads)
    arrays, about = sent
    with warnings.catch_warnings():
        # What Ray shares among tasks cannot be written, and nobody does.
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        material = unwrapped(Parcel({name: torch.from_numpy(array) for name, array in arrays.items()}, about))
    network = build(job.architecture, lesson.shape, job.num_classes, seed=job.seed)
    state, handed_at = job.state, time.monotonic()
    said: list[tuple[Epoch, TrainingState]] = []
    for number in range(0 if state is None else state.epoch, lesson.until):
        trained = fit(
            network,
            material,
            lesson.recipe,
            context=Context(seed=job.seed),
            until=number + 1,
            resume=state,
            on_epoch=lambda epoch, snapshot: said.append((epoch, snapshot())),
        )
        epoch, state = said.pop()
        last, due = number + 1 == lesson.until, time.monotonic() - handed_at > SECONDS_BETWEEN_STATES
        yield epoch, state if last or due else None, dict(trained.state_dict()) if last else None
        handed_at = time.monotonic() if due else handed_at
