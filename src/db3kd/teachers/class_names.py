"""Answers that are names: which class each one is, and which are none of the classes.

For all adapters whose model may answer "cat" instead of 0.
"""

import logging
from collections.abc import Sequence

import torch

from db3kd.errors import PlanError
from db3kd.tensors import Int, Tensor

_log = logging.getLogger(__name__)

_TOLD = 10
_SHOWN = 60


class ClassNames:
    """The names of a teacher's classes, two or more, in the order of their numbers; upper and lower case matter."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names: tuple[str, ...] = tuple(names)
        self._numbers = {name: number for number, name in enumerate(self.names)}
        self._told: set[str] = set()
        if isinstance(names, str) or len(self._numbers) != len(self.names) or len(self.names) < 2:
            raise PlanError(
                f"class_names must be at least two names, all different, got {str(names)[:_SHOWN]!r}; nothing was "
                "asked: list what the teacher answers"
            )

    def numbers(self, answers: Sequence[str]) -> Int[Tensor, " b"]:
        """Turn names into classes; what is off the list is none, the number of classes, and told once in the log."""
        for answer in answers:
            if answer not in self._numbers and answer not in self._told and len(self._told) < _TOLD:
                self._told.add(answer)
                _log.warning("the answer %r is none of the classes, and counts as no class", answer[:_SHOWN])
        found = [self._numbers.get(answer, len(self.names)) for answer in answers]
        return torch.tensor(found, dtype=torch.int64)
