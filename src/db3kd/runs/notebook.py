"""The notes of a training: a line per epoch for people, and the state to go on from after an interruption.

The keeper opens one for each network that is trained; what a state holds is the matter of `db3kd.training`.
"""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import final

from db3kd.context import Context
from db3kd.runs.files import write_atomically
from db3kd.runs.run import Run
from db3kd.runs.stage import Part
from db3kd.tensorfile import pack, unpack
from db3kd.tensors import Tensor

_STATE = "db3kd-training-2"
# A state is three times the weights: for a large network, one an epoch would take longer than the epoch.
_SECONDS_BETWEEN_STATES = 5.0


@final
class Notebook:
    """The notes of one training: a line per epoch, and every few seconds the state to go on from."""

    def __init__(self, run: Run, path: Path, part: Part, stamp: str, context: Context) -> None:
        self._run, self._path, self._part, self._stamp, self._context = run, path, part, stamp, context
        self._kept_at = time.monotonic()

    def resume(self) -> tuple[int, dict[str, Tensor]] | None:
        """Read where the training was interrupted: finished epochs and tensors; lines of later epochs are dropped."""
        state = None
        if self._path.exists():
            way_out = "delete it and run again: the training starts anew"
            tensors, about = unpack(self._path.read_bytes(), kind=_STATE, origin=str(self._path), way_out=way_out)
            if about["stamp"] == self._stamp:
                state = int(about["epoch"]), tensors
        done = 0 if state is None else state[0]
        lines = self._run.lines()
        left = [line for line in lines if line["part"] != self._part.name or int(str(line["epoch"])) <= done]
        if len(left) < len(lines):
            self._run.rewrite_lines(left)
        self._context.progress(self._part.name, done, self._part.epochs, "epochs")
        return state

    def note(self, epoch: int, figures: Mapping[str, object], state: Callable[[], Mapping[str, Tensor]] | None) -> None:
        """Write an epoch down; the state of the last one is not kept, since nothing would be trained from it."""
        self._run.append_line({"part": self._part.name, "epoch": epoch, **figures})
        numbers = {name: float(value) for name, value in figures.items() if isinstance(value, int | float)}
        self._context.tracker(self._part.name, epoch, numbers)
        due = time.monotonic() - self._kept_at > _SECONDS_BETWEEN_STATES and epoch < self._part.epochs
        if due and state is not None:
            about = {"epoch": str(epoch), "stamp": self._stamp}
            write_atomically(self._path, pack(state(), about, kind=_STATE))
            self._kept_at = time.monotonic()
        self._context.progress(self._part.name, epoch, self._part.epochs, "epochs")
