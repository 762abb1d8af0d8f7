"""How many rows a second the bare network decides, and how many a search gets decided in turns with it.

Both are measured within one process, so that whatever else the machine does affects both alike. Called by `bench`; the
searches themselves live in `db3kd.boundary`.
"""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Literal, final

import torch
from torch import nn

from db3kd.models.placement import find_device, place
from db3kd.oracle import Oracle
from db3kd.teachers import TeacherSpec
from db3kd.tensors import Float, Int, Tensor

MemoryLayout = Literal["contiguous", "channels_last"]

_BATCHES = (32, 64, 128, 256, 512)
_LAYOUTS: dict[MemoryLayout, torch.memory_format] = {
    "contiguous": torch.contiguous_format,
    "channels_last": torch.channels_last,
}


@dataclass(frozen=True)
class Speed:
    """What a search reached while the bare network was measured between its turns.

    Args:
        rows: rows decided.
        seconds: time that the search took, with all that it does besides asking.
        bare_rows_per_second: of the bare network during that time.
    """

    rows: int
    seconds: float
    bare_rows_per_second: float

    @property
    def rows_per_second(self) -> float:
        """Rows of the search per second."""
        return self.rows / self.seconds

    @property
    def share_of_bare(self) -> float:
        """Rows of the search over the rows that the bare network would have decided in the same time."""
        return self.rows_per_second / self.bare_rows_per_second


@final
class BareTeacher:
    """A network with its argmax and nothing else, in the batch size and memory layout that suit it best.

    Args:
        module: maps images to scores; left as it is.
        images: what it is asked; repeated where they are fewer than the largest batch.
        device: where it runs.
        rounds: how often each combination is tried; the best median wins.
        round_seconds: time of each trial.
    """

    def __init__(
        self,
        module: nn.Module,
        images: Float[Tensor, "n c h w"],
        *,
        device: str = "cpu",
        rounds: int = 20,
        round_seconds: float = 0.05,
    ) -> None:
        most = max(_BATCHES)
        self._device = find_device(device)
        self._images = images.repeat(-(-most // len(images)), 1, 1, 1)[:most].to(self._device)
        self._modules = {name: _laid_out(place(module, device).eval(), layout) for name, layout in _LAYOUTS.items()}
        self.batch, self.memory_layout = most, next(iter(_LAYOUTS))
        trials: dict[tuple[int, MemoryLayout], list[float]] = {
            (batch, layout): [] for batch in _BATCHES for layout in _LAYOUTS
        }
        for _ in range(rounds):
            for (self.batch, self.memory_layout), speeds in trials.items():
                speeds.append(self.measure(round_seconds))
        self.speeds = {combination: statistics.median(speeds) for combination, speeds in trials.items()}
        self.batch, self.memory_layout = max(self.speeds, key=lambda combination: self.speeds[combination])

    def measure(self, seconds: float) -> float:
        """Let it decide for about so many seconds; gives rows per second."""
        module, layout = self._modules[self.memory_layout], _LAYOUTS[self.memory_layout]
        batches = [batch.contiguous(memory_format=layout) for batch in self._images.split(self.batch)]
        rows = 0
        with torch.inference_mode():
            module(batches[0])
            self._wait()
            started = now = time.perf_counter()
            while now - started < seconds:
                batch = batches[rows // self.batch % len(batches)]
                module(batch).argmax(dim=1)
                rows += len(batch)
                self._wait()
                now = time.perf_counter()
        return rows / (now - started)

    def _wait(self) -> None:
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)


@final
class Alternating:
    """An oracle that stops the clock every now and then to measure the bare teacher.

    Used as a context manager around a search; `speed` is known when it is left.

    Args:
        oracle: is asked.
        bare: is measured at the start, after each slice and at the end.
        slice_seconds: time of the search between two measurements.
        bare_seconds: time of one measurement.
        uncounted: gives the seconds so far that are not counted as the search's time: a committee's own passes.
    """

    def __init__(
        self,
        oracle: Oracle,
        bare: BareTeacher,
        *,
        slice_seconds: float = 1.0,
        bare_seconds: float = 0.2,
        uncounted: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self.spec: TeacherSpec = oracle.spec
        self._oracle, self._bare = oracle, bare
        self._slice_seconds, self._bare_seconds = slice_seconds, bare_seconds
        self._rows, self._seconds, self._bare_rows = 0, 0.0, 0.0
        self._uncounted = uncounted
        self._bare_before, self._started = 0.0, 0.0

    def __enter__(self) -> "Alternating":
        self._bare_before = self._bare.measure(self._bare_seconds)
        self._started = time.perf_counter() - self._uncounted()
        return self

    def __call__(self, images: Float[Tensor, "n c h w"]) -> Int[Tensor, " n"]:
        """Answer as the oracle does."""
        if time.perf_counter() - self._uncounted() - self._started > self._slice_seconds:
            self._close_slice()
        self._rows += len(images)
        return self._oracle(images)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._close_slice()

    @property
    def speed(self) -> Speed:
        """What the search reached so far."""
        return Speed(self._rows, self._seconds, self._bare_rows / self._seconds)

    def _close_slice(self) -> None:
        seconds = time.perf_counter() - self._uncounted() - self._started
        bare = self._bare.measure(self._bare_seconds)
        self._bare_rows += seconds * (self._bare_before + bare) / 2
        self._seconds += seconds
        self._bare_before, self._started = bare, time.perf_counter() - self._uncounted()


def _laid_out(module: nn.Module, layout: torch.memory_format) -> nn.Module:
    placed: nn.Module = module.to(memory_format=layout)  # type: ignore[call-overload]  # torch's stub of Module.to lacks memory_format alone
    return placed
