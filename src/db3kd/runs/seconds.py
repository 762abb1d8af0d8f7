"""How long a run has worked, over all its sessions.

A session that a kill ends leaves no note, so the sum holds the sessions that ended by themselves.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from db3kd.errors import Db3kdError
from db3kd.runs.run import Run

_SECONDS = "seconds.jsonl"


@contextmanager
def timed(run: Run) -> Iterator[None]:
    """Note how long the work inside took, also where an error ends it."""
    started = time.monotonic()
    try:
        yield
    except BaseException:
        # A disk that is full, or a run that could not be held, must not hide the error that the user has to know of.
        with suppress(Db3kdError):
            run.append_line({"seconds": time.monotonic() - started}, name=_SECONDS)
        raise
    run.append_line({"seconds": time.monotonic() - started}, name=_SECONDS)


def spent_seconds(run: Run) -> float:
    """Add up the wall time of a run, in seconds."""
    return sum((float(str(line["seconds"])) for line in run.lines(name=_SECONDS)), start=0.0)


def seconds_until_now(run: Run) -> float:
    """Add up the wall time of a run, with that of a session that is still at work."""
    since, notes = run.written_since(), run.folder / _SECONDS
    if since is None:
        return spent_seconds(run)
    # What the session has noted already is not counted twice.
    noted = notes.stat().st_mtime if notes.exists() else 0.0
    return spent_seconds(run) + max(0.0, time.time() - max(since, noted))
