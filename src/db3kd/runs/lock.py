"""One process writes a run at a time, and others may see which one it is.

The system lets go of the lock when the process ends, however it ends. Called by `run.py`.
"""

import fcntl
import os
import re
import socket
import weakref
from contextlib import suppress
from pathlib import Path
from typing import final

from db3kd.errors import RunError


@final
class RunLock:
    """The file `run.lock` of a run: held by whoever writes, and read by whoever looks."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._path = folder, folder / "run.lock"
        self._release: weakref.finalize[[int], RunLock] | None = None

    @property
    def held(self) -> bool:
        """Whether it is this object that holds the run."""
        return self._release is not None

    def take(self) -> None:
        """Hold the run, until `release` or until this object is gone."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"process {os.getpid()} on {socket.gethostname()}\n".encode(), 0)
        except BlockingIOError as error:
            holder = os.pread(descriptor, 200, 0).decode(errors="replace").strip() or "another process"
            os.close(descriptor)
            raise RunError(
                f"{self._folder} is being written by {holder}; nothing was done: wait until it is done, end it, or use "
                "another folder"
            ) from error
        except OSError:
            # A disk that has no room for the name: nobody may hold the run without one.
            os.close(descriptor)
            raise
        self._release = weakref.finalize(self, _unlock, descriptor)

    def release(self) -> None:
        """Let others hold it."""
        if self._release is not None:
            self._release()
            self._release = None

    def held_since(self) -> float | None:
        """Tell since when a process of this machine has been holding it, in seconds since the epoch, or None."""
        try:
            found, since = re.match(r"process (\d+) on (.+)", self._path.read_text()), self._path.stat().st_mtime
        except OSError:
            return None
        if found is None or found[2] != socket.gethostname():
            return None
        try:
            # Signal 0 is none: it asks whether the process is there. A killed one has left its number behind.
            os.kill(int(found[1]), 0)
        except ProcessLookupError:
            return None
        except PermissionError:
            pass
        return since


def _unlock(descriptor: int) -> None:
    """Take the name off the lock and let it go."""
    # A name that stays, on a disk that fails, holds nothing.
    with suppress(OSError):
        os.ftruncate(descriptor, 0)
    os.close(descriptor)
