"""What travels everywhere: where to compute, what to draw from, and who hears how far things are.

Handed once to whatever takes long. A run and its files are no part of it: they belong to the keeper.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable


@runtime_checkable
class Progress(Protocol):
    """Hears how far a stage is."""

    def __call__(self, stage: str, done: int, total: int, unit: str) -> None:
        """Take note that so much of a stage is done, of a total, in a unit."""


def silent(stage: str, done: int, total: int, unit: str) -> None:
    """Hear nothing."""


@runtime_checkable
class Tracker(Protocol):
    """Hears the figures of trainings and of rounds, as they come."""

    def __call__(self, source: str, step: int, figures: Mapping[str, float]) -> None:
        """Take note of figures.

        Args:
            source: a training, by the name of its part of the run, such as "student" or "committee/00001"; "answers"
                for rounds of questions; "agreement" for what committees know of answers that they have not learned.
            step: finished epochs of a training; questions so far of the others. Within a source it rises, but for a
                run that goes on after an interruption: from its first step on, it tells again.
            figures: by their names.
        """


def untracked(source: str, step: int, figures: Mapping[str, float]) -> None:
    """Hear nothing."""


@dataclass(frozen=True)
class Context:
    """Where and how long work is done.

    Args:
        device: where networks and searches run: "cpu", "cuda" or "cuda:N". It is no part of any key: a run may go on
            elsewhere.
        seed: all random choices are drawn from it.
        progress: hears how far each stage is.
        tracker: hears what trainings and rounds bring. Like the device and the progress, it changes no result.
        clustered: whether networks are trained, and look at many images, on the Ray cluster that this process is
            connected to.
    """

    device: str = "cpu"
    seed: int = 0
    progress: Progress = silent
    tracker: Tracker = untracked
    clustered: bool = False


HERE = Context()


def count_cores() -> int:
    """Count the cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
