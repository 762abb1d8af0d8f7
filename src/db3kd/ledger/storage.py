"""The file of a ledger: SQLite, made whole, checked when it is opened, and each write on the disk before going on.

Here SQLite's errors become sentences that say what to do. Another process may read the file, but not write to it.
"""

import os
import sqlite3
import threading
import weakref
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import final

from db3kd.errors import ArtifactError, StorageError

_FORMAT_VERSION = 4

# A row for each account. `used` is what is known to have been charged; until the lease is settled, all of `leased`
# counts. `again` is the part that was charged again. Bills have a row for each stage.
_SCHEMA = """
CREATE TABLE leases (
    id INTEGER PRIMARY KEY,
    stage TEXT NOT NULL,
    held_out INTEGER NOT NULL CHECK (held_out IN (0, 1)),
    leased INTEGER NOT NULL CHECK (typeof(leased) = 'integer' AND leased >= used),
    used INTEGER NOT NULL CHECK (typeof(used) = 'integer' AND used >= 0),
    again INTEGER NOT NULL DEFAULT 0 CHECK (typeof(again) = 'integer' AND again BETWEEN 0 AND leased),
    settled TEXT
);
CREATE TABLE bills (
    stage TEXT NOT NULL,
    held_out INTEGER NOT NULL CHECK (held_out IN (0, 1)),
    answers INTEGER NOT NULL,
    uncounted INTEGER NOT NULL,
    input_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    off_list INTEGER NOT NULL,
    refused INTEGER NOT NULL,
    lost INTEGER NOT NULL,
    UNIQUE (stage, held_out)
);
"""


@final
class Storage:
    """The open file, made where there is none; without a path it is in memory."""

    def __init__(self, path: Path | None) -> None:
        self._name = "the ledger in memory" if path is None else str(path)
        self._lock = threading.RLock()
        if path is not None and not path.exists():
            self._create(path)
        with self._explained():
            self._connection = _connect(":memory:" if path is None else path)
            # Whoever forgets to close it leaves no open file behind.
            self.close = weakref.finalize(self, self._connection.close)
            if path is None:
                self._connection.executescript(_SCHEMA)
            else:
                self._check(path)
                self._connection.execute("PRAGMA synchronous = FULL")

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Read one state of the file."""
        with self._lock, self._explained():
            yield self._connection

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Hold the file alone; what was written is on the disk when this ends, or none of it is."""
        # SQLite's own context manager commits, and rolls back where it cannot.
        with self.reading() as connection, connection:
            connection.execute("BEGIN IMMEDIATE")
            yield connection

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn what SQLite says into what the user can do."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the extended part says only where it happened
            if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
                raise self._damage(str(error)) from error
            if isinstance(error, sqlite3.OperationalError):
                raise StorageError(
                    f"{self._name} could not be read or written: {error}; nothing was charged, so nothing is sent, and "
                    "what was written before is kept: make room, make the folder writable or end another process that "
                    "uses it, and run again to go on"
                ) from error
            raise

    def _damage(self, what: str) -> ArtifactError:
        return ArtifactError(
            f"{self._name} is not a whole ledger of queries: {what}; nothing was changed. To keep the count of what "
            "was spent, put back a copy of it and delete the files ending in -wal and -shm beside it, which belong to "
            "this one; or delete it to count from 0 again"
        )

    def _create(self, path: Path) -> None:
        """Make the file elsewhere and move it in: an empty or half-made ledger would count from 0."""
        draft = path.with_name(f".{path.name}.tmp")
        try:
            draft.unlink(missing_ok=True)
            with self._explained(), closing(_connect(draft)) as connection:
                connection.executescript(f"{_SCHEMA} PRAGMA user_version = {_FORMAT_VERSION}")
                connection.execute("PRAGMA journal_mode = WAL")
            # What a kill left of a ledger that was deleted: SQLite would take its pages into this one.
            for ending in ("-wal", "-shm"):
                path.with_name(path.name + ending).unlink(missing_ok=True)
            draft.replace(path)
            folder = os.open(path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            raise StorageError(
                f"{path} could not be made: {error.strerror}; nothing was charged: run in a folder that can be written"
            ) from error

    def _check(self, path: Path) -> None:
        if path.stat().st_size == 0:
            raise self._damage("the file is empty")
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        if version != _FORMAT_VERSION:
            raise ArtifactError(
                f"{path} is a ledger of format version {version}, and this db3kd reads version {_FORMAT_VERSION}; "
                "nothing was changed: go on with the db3kd that wrote it, or use another run directory"
            )
        faults = [fault for (fault,) in self._connection.execute("PRAGMA quick_check")]
        if faults != ["ok"]:
            raise self._damage("; ".join(faults))
        found = self._connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY rowid")
        tables = [name for (name,) in found]
        if tables != ["leases", "bills"]:
            raise self._damage(f"it should hold the tables 'leases' and 'bills', and holds {tables}")


def _connect(path: Path | str) -> sqlite3.Connection:
    # Transactions are begun and ended by hand; the ledger's own lock orders the threads.
    return sqlite3.connect(path, isolation_level=None, check_same_thread=False)
