"""Who hears the figures of a run: nobody, an object of the user's, or one that is made by its name.

What is heard is said by `db3kd.context.Tracker`; the run's own notes (`training.jsonl`) are kept in any case. Called by
`db3kd.api` and by the commands.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from db3kd.context import Tracker, untracked
from db3kd.errors import PlanError
from db3kd.names import TRACKERS, find, made


@contextmanager
def tracking(wanted: str | Tracker | None, folder: Path | None) -> Iterator[Tracker]:
    """Give a tracker while a run is made, and close it at the end where it can be closed.

    A name is one of `db3kd.names.TRACKERS`, or "package.module:factory", which is called with the folder of the run;
    None where that will not last. A PlanError where there is no such tracker or no folder for it, an InputError where
    what it needs is not installed.
    """
    if wanted is None or not isinstance(wanted, str):
        yield wanted or untracked
        return
    if folder is None:
        raise PlanError(
            f"the tracker {wanted!r} writes beside the run, which is a temporary one; nothing was asked: name its "
            "directory with run=, or give a tracker of your own"
        )
    tracker = made(find(TRACKERS, wanted), f"the tracker {wanted!r}", folder)
    if not isinstance(tracker, Tracker):
        raise PlanError(
            f"{wanted!r} gave a {type(tracker).__name__}, which cannot be called with (source, step, figures); nothing "
            "was asked: name a factory of a tracker"
        )
    try:
        yield tracker
    finally:
        close = getattr(tracker, "close", None)
        if close is not None:
            close()
