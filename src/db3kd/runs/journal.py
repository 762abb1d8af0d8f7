"""The teacher's answers in the order in which they were asked for, so that no answer is paid twice.

A search is deterministic: after a kill it asks the same questions again, and the journal answers as far as it
reaches. A journal holds answers and no questions; a checksum tells whether an answer belongs to a question. The
driver of the searches reads and writes it, one per unfinished shard.
"""

import fcntl
import hashlib
import logging
import os
import struct
import time
import weakref
import zlib
from pathlib import Path
from types import TracebackType
from typing import final

import numpy as np
from jaxtyping import Int64, Integer

from db3kd.errors import ArtifactError, RunError
from db3kd.runs.files import storage_errors, sync_folder

_logger = logging.getLogger(__name__)

_HEADER = struct.Struct("<8sI32s")  # magic, format version, digest of the identity; a checksum follows
_RECORD = struct.Struct("<III")  # rows, checksum of the question, bytes per decision; a checksum follows
_CHECKSUM = struct.Struct("<I")
_MAGIC = b"db3kdjnl"
_VERSION = 1
_HEADER_BYTES = _HEADER.size + _CHECKSUM.size
_RECORD_BYTES = _RECORD.size + _CHECKSUM.size
# A kill loses nothing; a power cut loses what was not synced. A sync costs milliseconds, so not every answer gets one.
_SECONDS_BETWEEN_SYNCS = 1.0
_TYPES: dict[int, np.dtype[np.unsignedinteger]] = {1: np.dtype("<u1"), 2: np.dtype("<u2"), 4: np.dtype("<u4")}


@final
class Journal:
    """An append-only file of answers; what can be read is always a beginning of what was appended.

    A tail that a kill or a power cut tore off is cut away when the file is opened. Every checksum goes on from the
    one before it, so a record counts only in its place.

    Args:
        path: the file, made where there is none.
        identity: tells what the answers are to (plan, teacher, shard); any length.

    Raises:
        ArtifactError: the file holds answers to something else or is of another format version.
        RunError: another process is writing it.
        StorageError: the file cannot be written.
    """

    def __init__(self, path: Path, identity: bytes) -> None:
        self._path = path
        header = _HEADER.pack(_MAGIC, _VERSION, hashlib.sha256(identity).digest())
        with storage_errors(path):
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
            self._closed = weakref.finalize(self, os.close, self._file)
            self._hold()
            self._stored = path.read_bytes()
        self._checksum = zlib.crc32(header)
        self._position = self._end = _HEADER_BYTES
        self._replayed = 0
        self._synced_at = time.monotonic()
        if len(self._stored) < _HEADER_BYTES:
            # The header is on the disk before the first answer, so no answer is lost here.
            self._cut(0)
            self._write(header + _CHECKSUM.pack(self._checksum), 0)
            with storage_errors(path):
                os.fsync(self._file)
                sync_folder(path.parent)
        else:
            self._check_header(header)
            self._end, self._checksum = self._intact_end()
            if self._end < len(self._stored):
                _logger.warning(
                    "%s: the last %d bytes are no whole record and were cut off; what they held is asked again",
                    path,
                    len(self._stored) - self._end,
                )
                self._cut(self._end)

    @property
    def replayed(self) -> int:
        """Rows that were answered from the file since it was opened, at no query."""
        return self._replayed

    def next_record(self, question: int, rows: int) -> Int64[np.ndarray, " b"] | None:
        """Give the next recorded answer, if the file reaches so far.

        An answer to another question is never given: it and all after it are discarded, with a warning in the log.

        Args:
            question: CRC-32 of the question, from 0 to 2**32 - 1.
            rows: how many decisions are wanted.

        Returns:
            The decisions, or None where the teacher must be asked.

        Raises:
            StorageError: the file cannot be cut.

        Cost:
            No query.
        """
        if self._position == self._end:
            self._stored = b""
            return None
        recorded_rows, recorded_question, width = _RECORD.unpack_from(self._stored, self._position)
        if (recorded_rows, recorded_question) != (rows, question):
            _logger.warning(
                "%s: the next answer is to a question of %d rows, and another one of %d rows was asked; the %d bytes "
                "from there on are discarded and asked again",
                self._path,
                recorded_rows,
                rows,
                self._end - self._position,
            )
            self._discard_rest()
            return None
        start = self._position + _RECORD_BYTES
        decisions = np.frombuffer(self._stored, _TYPES[width], rows, start)
        self._position = start + rows * width
        self._replayed += rows
        return decisions.astype(np.int64)

    def append(self, question: int, decisions: Integer[np.ndarray, " b"]) -> None:
        """Add an answer; a kill of this process does not lose it any more.

        Args:
            question: CRC-32 of the question, from 0 to 2**32 - 1.
            decisions: classes, from 0 to 2**32 - 1.

        Raises:
            StorageError: the disk is full or cannot be written; the answers before this one are kept.
        """
        assert self._position == self._end, "an answer was appended before the recorded ones were asked for"
        lowest, highest = (int(decisions.min()), int(decisions.max())) if decisions.size else (0, 0)
        if lowest < 0 or highest >= 2**32:
            raise ValueError(f"a decision is a class from 0 to 2**32 - 1, got one of {lowest} to {highest}")
        width = 1 if highest < 2**8 else 2 if highest < 2**16 else 4
        head = _RECORD.pack(decisions.size, question, width)
        content = decisions.astype(_TYPES[width]).tobytes()
        checksum = zlib.crc32(content, zlib.crc32(head, self._checksum))
        record = head + _CHECKSUM.pack(checksum) + content
        self._write(record, self._end)
        self._end += len(record)
        self._position = self._end
        self._checksum = checksum
        if time.monotonic() - self._synced_at > _SECONDS_BETWEEN_SYNCS:
            self.sync()

    def sync(self) -> None:
        """Have all answers on the disk, so that a power cut does not lose them either.

        Raises:
            StorageError: the disk is full or cannot be written.
        """
        with storage_errors(self._path):
            os.fdatasync(self._file)
        self._synced_at = time.monotonic()

    def close(self) -> None:
        """Close the file; what was appended stays for the next time."""
        if self._closed.alive:
            self.sync()
        self._closed()

    def __enter__(self) -> "Journal":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _hold(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self.close()
            raise RunError(
                f"{self._path} is being written by another process, which may be left over from a killed run; "
                "nothing was asked or written: end that process and run again"
            ) from error

    def _check_header(self, header: bytes) -> None:
        stored = self._stored[: _HEADER.size]
        magic, version, _ = _HEADER.unpack(stored)
        (checksum,) = _CHECKSUM.unpack_from(self._stored, _HEADER.size)
        if magic != _MAGIC or checksum != zlib.crc32(stored):
            fault = "it does not begin as a journal of answers does"
        elif version != _VERSION:
            fault = f"it is of format version {version}, and this db3kd reads version {_VERSION}"
        elif stored != header:
            fault = "its answers are to another plan, teacher or shard"
        else:
            return
        self.close()
        raise ArtifactError(
            f"{self._path} cannot be used: {fault}; nothing was changed: put the right file back, or delete it and run "
            "again: only the questions of this unfinished shard are asked, and paid, again"
        )

    def _intact_end(self) -> tuple[int, int]:
        """Find where the last whole record ends, and the checksum there."""
        stored, position, checksum = memoryview(self._stored), self._end, self._checksum
        while len(stored) - position >= _RECORD_BYTES:
            rows, _, width = _RECORD.unpack_from(stored, position)
            start = position + _RECORD_BYTES
            if width not in _TYPES or start + rows * width > len(stored):
                break
            (expected,) = _CHECKSUM.unpack_from(stored, position + _RECORD.size)
            following = zlib.crc32(
                stored[start : start + rows * width], zlib.crc32(stored[position : position + _RECORD.size], checksum)
            )
            if following != expected:
                break
            position, checksum = start + rows * width, following
        return position, checksum

    def _discard_rest(self) -> None:
        # The record before this one ends here; its checksum is found again by reading up to here.
        self._stored = self._stored[: self._position]
        self._end, self._checksum = _HEADER_BYTES, zlib.crc32(self._stored[: _HEADER.size])
        self._end, self._checksum = self._intact_end()
        self._cut(self._end)

    def _cut(self, size: int) -> None:
        with storage_errors(self._path):
            os.ftruncate(self._file, size)

    def _write(self, record: bytes, position: int) -> None:
        with storage_errors(self._path):
            written = 0
            try:
                # A disk that fills up takes a part first and refuses the rest.
                while written < len(record):
                    written += os.pwrite(self._file, record[written:], position + written)
            except OSError:
                os.ftruncate(self._file, position)
                raise
