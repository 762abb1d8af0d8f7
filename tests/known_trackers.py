"""A tracker of a user's own, and what TensorBoard reads of a log."""

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from db3kd.context import Context, Tracker, silent
from made_runs import Stopped

Heard = dict[tuple[str, str], list[tuple[int, float]]]


class Listening:
    """Keeps what it hears; it may be told to stop the process."""

    def __init__(self, stop_at: tuple[str, int] | None = None) -> None:
        self.heard: Heard = defaultdict(list)
        self.closed, self._stop_at = False, stop_at

    def __call__(self, source: str, step: int, figures: Mapping[str, float]) -> None:
        for name, value in figures.items():
            self.heard[source, name].append((step, value))
        if (source, step) == self._stop_at:
            raise Stopped

    def close(self) -> None:
        self.closed = True


def heard_by(tracker: Tracker) -> Context:
    """A context in which a tracker hears all, and nothing is shown."""
    return Context(progress=silent, tracker=tracker)


def read_log(log: Path) -> Heard:
    """What TensorBoard itself reads of a log."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found: Heard = {}
    for folder in sorted({path.parent for path in log.rglob("events.*")}):
        read = EventAccumulator(str(folder)).Reload()
        for name in read.Tags()["scalars"]:
            found[str(folder.relative_to(log)), name] = [(one.step, one.value) for one in read.Scalars(name)]
    return found
