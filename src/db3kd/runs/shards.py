"""The finished parts of a labelling, a sealed file each, and the journals of the unfinished ones.

Worker processes may use `Shards` on the run's folder without holding the run: each shard is written by one of them.
What is in a shard is decided by the caller.
"""

from pathlib import Path
from typing import final

from db3kd.runs.files import seal, storage_errors, unseal, write_atomically
from db3kd.runs.journal import Journal


@final
class Shards:
    """A folder of shards, numbered from 0.

    Args:
        folder: where they are; made with the first file.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def finished(self) -> tuple[int, ...]:
        """List the shards that are there, ascending; whether they are whole shows when they are read."""
        return self._numbers("shard")

    def begun(self) -> tuple[int, ...]:
        """List the shards that have a journal and are not finished, ascending."""
        finished = set(self.finished())
        return tuple(index for index in self._numbers("journal") if index not in finished)

    def put(self, index: int, data: bytes) -> None:
        """Keep a finished shard, then delete its journal.

        Args:
            index: its number, from 0.
            data: its content.

        Raises:
            StorageError: the disk is full or the folder cannot be written; the journal is kept.
        """
        path = self.path(index)
        with storage_errors(path):
            self._folder.mkdir(parents=True, exist_ok=True)
        write_atomically(path, seal(path.name, data))
        self._drop_journal(index)

    def get(self, index: int) -> bytes | None:
        """Read a shard.

        Args:
            index: its number, from 0.

        Returns:
            Its content, or None where it is not finished.

        Raises:
            ArtifactError: the file was changed, cut short, renamed, or is of another format version.
        """
        path = self.path(index)
        try:
            return unseal(
                path,
                "put the right file back, or delete it and run again: only this shard is made, and its queries paid, "
                "again",
            )
        except FileNotFoundError:
            return None

    def journal(self, index: int, identity: bytes) -> Journal:
        """Open the journal of an unfinished shard.

        Args:
            index: the shard's number, from 0.
            identity: tells what the answers are to (plan, teacher, shard); any length.

        Returns:
            The journal; whoever opened it closes it.

        Raises:
            ArtifactError: the file holds answers to something else or is of another format version.
            RunError: another process is writing it.
            StorageError: the file cannot be written.
        """
        path = self._file(index, "journal")
        with storage_errors(path):
            self._folder.mkdir(parents=True, exist_ok=True)
        return Journal(path, identity)

    def path(self, index: int) -> Path:
        """Tell where a shard is or would be.

        Args:
            index: its number, from 0.

        Returns:
            The file.
        """
        return self._file(index, "shard")

    def drop_finished_journals(self) -> None:
        """Delete the journals that a kill left behind after their shards were put."""
        finished = set(self.finished())
        for index in self._numbers("journal"):
            if index in finished:
                self._drop_journal(index)

    def _numbers(self, ending: str) -> tuple[int, ...]:
        return tuple(sorted(int(file.stem) for file in self._folder.glob(f"[0-9]*.{ending}") if file.stem.isdecimal()))

    def _file(self, index: int, ending: str) -> Path:
        if index < 0:
            raise ValueError(f"shards are numbered from 0, got {index}")
        return self._folder / f"{index:05d}.{ending}"

    def _drop_journal(self, index: int) -> None:
        path = self._file(index, "journal")
        with storage_errors(path):
            path.unlink(missing_ok=True)
