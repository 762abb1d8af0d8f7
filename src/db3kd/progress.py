"""Progress that people see: a bar on a terminal or in a notebook, plain lines elsewhere; both tell rate and time left.

Knows nothing that needs torch. Called by `db3kd.api` and by the commands.
"""

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn
from rich.progress import Progress as RichProgress

_log = logging.getLogger(__name__)

_SECONDS_BETWEEN_LINES = 10.0
_SECONDS_OF_A_RATE = 30.0


class Pace:
    """How fast something goes on, over the last half minute, by a clock in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: deque[tuple[float, int]] = deque()

    def note(self, done: int) -> None:
        """Take note of how much is done now; the first time, of where it began."""
        now = self._clock()
        self._seen.append((now, done))
        while len(self._seen) > 2 and now - self._seen[1][0] > _SECONDS_OF_A_RATE:
            self._seen.popleft()

    @property
    def rate(self) -> float | None:
        """Units a second; None before anything was done."""
        if not self._seen:
            return None
        (began, before), (_, done) = self._seen[0], self._seen[-1]
        seconds = self._clock() - began
        return (done - before) / seconds if done > before and seconds > 0 else None

    def left(self, total: int) -> float | None:
        """Seconds until `total` is done, or None where nothing can be said."""
        rate = self.rate
        return None if rate is None else (total - self._seen[-1][1]) / rate


class Stages:
    """Shows the stages of a run; it is a `Progress`."""

    def __init__(self, bar: RichProgress | None, say: Callable[[str], object]) -> None:
        self._bar, self._say = bar, say
        self._tasks: dict[str, TaskID] = {}
        self._stage = ""
        self._done = self._total = self._rows = 0
        self._unit = ""
        self._paces: dict[str, Pace] = {}
        self._pace, self._rows_pace = Pace(), Pace()
        self._line_at = time.monotonic()

    def __call__(self, stage: str, done: int, total: int, unit: str) -> None:
        """Take note of how far a stage is."""
        if stage != self._stage:
            # Trainings that go on side by side tell of themselves in turn.
            self._pace, self._rows_pace = self._paces.setdefault(stage, Pace()), Pace()
            self._rows_pace.note(self._rows)
            # A stage that comes back, as asking does between the trainings of its rounds, has one bar.
            if self._bar is not None and stage not in self._tasks:
                self._tasks[stage] = self._bar.add_task(stage, total=total, text="")
        self._stage, self._done, self._total, self._unit = stage, done, total, unit
        self._pace.note(done)
        self._show(ended=done >= total)

    def hear_rows(self, rows: int) -> None:
        """Take note of rows that a teacher answered."""
        self._rows += rows
        if self._stage:
            self._rows_pace.note(self._rows)
            self._show(ended=False)

    def _show(self, *, ended: bool) -> None:
        if self._bar is not None:
            self._bar.update(self._tasks[self._stage], total=self._total, completed=self._done, text=self._text())
        elif ended or time.monotonic() - self._line_at > _SECONDS_BETWEEN_LINES:
            self._line_at = time.monotonic()
            self._say(f"{self._stage}: {self._text()}")

    def _text(self) -> str:
        parts = [f"{self._done:,} of {self._total:,} {self._unit}"]
        rate, asked, left = self._pace.rate, self._rows_pace.rate, self._pace.left(self._total)
        if rate is not None:
            parts.append(f"{rate:,.1f} {self._unit}/s")
        if asked is not None:
            parts.append(f"{asked:,.0f} queries/s")
        if left is not None and self._done < self._total:
            parts.append(f"{_clock(left)} left")
        return ", ".join(parts)


@contextmanager
def showing(say: Callable[[str], object] | None = None) -> Iterator[Stages]:
    """Show progress while the work inside goes on: a bar on a terminal or in a notebook, plain lines elsewhere."""
    console = Console(stderr=True)
    if not (console.is_terminal or console.is_jupyter):
        yield Stages(None, say or _log.info)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[text]}"))
    with RichProgress(*columns, console=console) as bar:
        yield Stages(bar, say or _log.info)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
