"""What travels everywhere: where to compute, what to draw from, and who hears how far things are.

Handed once to whatever takes long. A run and its files are no part of it: they belong to the keeper.
"""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable


@runtime_checkable
class Progress(Protocol):
    """Hears how far a stage is."""

    def __call__(self, stage: str, done: int, total: int, unit: str) -> None:
        """Take note that so much of a stage is done, of a total, in a unit."""


def silent(stage: str, done: int, total: int, unit: str) -> None:
    """Hear nothing."""


@dataclass(frozen=True)
class Context:
    """Where and how long work is done.

    Args:
        device: where networks and searches run: "cpu", "cuda" or "cuda:N". It is no part of any key: a run may go on
            elsewhere.
        seed: all random choices are drawn from it.
        progress: hears how far each stage is.
    """

    device: str = "cpu"
    seed: int = 0
    progress: Progress = silent


HERE = Context()
