"""Answers that were paid once, kept by question, so that nobody pays for them again.

A file of SQLite in a run directory. It holds digests of images and classes, no image. `db3kd.execution` writes it and
looks into it before an oracle is asked; a recorded teacher replays it.
"""

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import final

from db3kd.errors import ArtifactError, RunMismatch, StorageError

_VERSION = 1
_AT_ONCE = 500
_SCHEMA = """
CREATE TABLE IF NOT EXISTS teacher (about TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS answers (question BLOB PRIMARY KEY, class INTEGER NOT NULL) WITHOUT ROWID;
"""


@final
class Answers:
    """The answers of one teacher, by the digest of what it was asked.

    Args:
        path: the file, made where there is none.
        about: tells the teacher; its entry "fingerprint" decides whether answers are its own. None to take what the
            file says.

    Raises:
        RunMismatch: the file holds the answers of another teacher.
        ArtifactError: the file is none of these, or is damaged, or missing where `about` is None.
        StorageError: the file cannot be written.
    """

    def __init__(self, path: Path, about: Mapping[str, object] | None = None) -> None:
        self._path = path
        if about is None and not path.is_file():
            raise ArtifactError(f"there are no recorded answers in {path}; nothing was asked: record them first")
        self._connection = sqlite3.connect(path, timeout=60.0)
        try:
            with self._explained():
                self.about: dict[str, object] = self._open(about)
        except BaseException:
            self._connection.close()
            raise

    def find(self, questions: Sequence[bytes]) -> dict[bytes, int]:
        """Look answers up.

        Args:
            questions: digests.

        Returns:
            The classes of those that are known.

        Cost: no query.
        """
        found: dict[bytes, int] = {}
        with self._explained():
            for start in range(0, len(questions), _AT_ONCE):
                part = questions[start : start + _AT_ONCE]
                marks = ",".join("?" * len(part))
                found.update(
                    self._connection.execute(f"SELECT question, class FROM answers WHERE question IN ({marks})", part)
                )
        return found

    def keep(self, answers: Mapping[bytes, int]) -> None:
        """Add answers; a kill of this process does not lose them any more.

        Args:
            answers: classes by digest; one that is there already stays as it was.

        Raises:
            StorageError: the file cannot be written.
        """
        with self._explained(), self._connection:
            self._connection.executemany("INSERT OR IGNORE INTO answers VALUES (?, ?)", answers.items())

    def take_over(self, other: Path) -> int:
        """Take over the answers that another run has paid.

        Args:
            other: its file.

        Returns:
            How many were new.

        Raises:
            RunMismatch: they are of another teacher.
            ArtifactError: there are none.
        """
        before = len(self)
        with Answers(other) as theirs:
            self._check(theirs.about, other)
            with self._explained(), self._connection:
                rows = theirs._connection.execute("SELECT question, class FROM answers")
                self._connection.executemany("INSERT OR IGNORE INTO answers VALUES (?, ?)", rows)
        return len(self) - before

    def __len__(self) -> int:
        return int(self._connection.execute("SELECT COUNT(*) FROM answers").fetchone()[0])

    def __enter__(self) -> "Answers":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def _open(self, about: Mapping[str, object] | None) -> dict[str, object]:
        version = self._connection.execute("PRAGMA user_version").fetchone()[0]
        if version not in (0, _VERSION):
            raise ArtifactError(f"{self._path} is of format version {version}, and this db3kd reads {_VERSION}")
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.executescript(_SCHEMA)
        self._connection.execute(f"PRAGMA user_version = {_VERSION}")
        kept = self._connection.execute("SELECT about FROM teacher").fetchone()
        if kept is None:
            if about is None:
                raise ArtifactError(f"{self._path} holds no teacher's answers; nothing was asked: record them first")
            with self._connection:
                self._connection.execute("INSERT INTO teacher VALUES (?)", (json.dumps(dict(about)),))
            return dict(about)
        self.about = json.loads(kept[0])
        if about is not None:
            self._check(about, self._path)
        return self.about

    def _check(self, other: Mapping[str, object], path: Path) -> None:
        ours, theirs = self.about.get("fingerprint"), other.get("fingerprint")
        if ours != theirs:
            raise RunMismatch(
                f"{path} is about the teacher with fingerprint {theirs!r}, and {self._path} holds answers of {ours!r}; "
                "nothing was asked: name the run of the same teacher"
            )

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            raise StorageError(
                f"the answers in {self._path} could not be read or written: {error}; what was kept before is whole: "
                "see to the disk and run again to go on"
            ) from error
        except sqlite3.DatabaseError as error:
            raise ArtifactError(
                f"{self._path} is damaged or no file of answers ({error}); nothing was asked: put the right file back, "
                "or delete it: its answers are then paid again"
            ) from error
