"""The teacher's answers in the order in which they were asked for, so that no answer is paid twice.

A stage is deterministic: after a kill it asks the same questions again, and the journal answers as far as it reaches.
A journal holds answers and no images; a checksum tells whether an answer belongs to a question. A recording journal
holds a digest of each question as well, so that `answered` can look answers up in it. The keeper opens one for each
unfinished part.
"""

import hashlib
import logging
import os
import struct
import time
import weakref
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import final

import numpy as np
from jaxtyping import Int64, Integer

from db3kd.errors import ArtifactError
from db3kd.runs.files import storage_errors, sync_folder

_logger = logging.getLogger(__name__)

_HEADER = struct.Struct("<8sII32s")  # magic, format version, bytes of a digest, digest of the identity; a checksum
_RECORD = struct.Struct("<III")  # rows, checksum of the question, bytes per decision; a checksum, the content
_CHECKSUM = struct.Struct("<I")
_MAGIC = b"db3kdjnl"
_VERSION = 2
DIGEST_BYTES = 16
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
    """

    def __init__(self, path: Path, identity: bytes, *, recording: bool = False) -> None:
        self._path, self._digest_bytes = path, DIGEST_BYTES if recording else 0
        header = _HEADER.pack(_MAGIC, _VERSION, self._digest_bytes, hashlib.sha256(identity).digest())
        with storage_errors(path):
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
            self._closed = weakref.finalize(self, os.close, self._file)
            self._stored = path.read_bytes()
        self._checksum = zlib.crc32(header)
        self._position = self._end = _HEADER_BYTES
        self._synced_at = time.monotonic()
        if len(self._stored) < _HEADER_BYTES or self._is_of_nothing():
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
    def empty(self) -> bool:
        """Whether no answer is recorded."""
        return self._end == _HEADER_BYTES

    @property
    def next_rows(self) -> int | None:
        """The rows of the next recorded answer; None where the teacher must be asked."""
        if self._position == self._end:
            return None
        return int(_RECORD.unpack_from(self._stored, self._position)[0])

    def next_record(self, question: int, rows: int) -> Int64[np.ndarray, " b"] | None:
        """Give the next recorded answer, or None where the teacher must be asked.

        An answer to another question is never given: it and all after it are discarded, with a warning in the log.
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
        self._position = start + rows * (width + self._digest_bytes)
        return decisions.astype(np.int64)

    def append(self, question: int, decisions: Integer[np.ndarray, " b"], digests: Sequence[bytes] = ()) -> None:
        """Add an answer to a question by its CRC-32; a kill of this process does not lose it any more."""
        assert len(digests) == (decisions.size if self._digest_bytes else 0), (
            "a digest for each row, where they are kept"
        )
        assert self._position == self._end, "an answer was appended before the recorded ones were asked for"
        lowest, highest = (int(decisions.min()), int(decisions.max())) if decisions.size else (0, 0)
        if lowest < 0 or highest >= 2**32:
            raise ValueError(f"a decision is a class from 0 to 2**32 - 1, got one of {lowest} to {highest}")
        width = 1 if highest < 2**8 else 2 if highest < 2**16 else 4
        head = _RECORD.pack(decisions.size, question, width)
        content = decisions.astype(_TYPES[width]).tobytes() + b"".join(digests)
        checksum = zlib.crc32(content, zlib.crc32(head, self._checksum))
        record = head + _CHECKSUM.pack(checksum) + content
        self._write(record, self._end)
        self._end += len(record)
        self._position = self._end
        self._checksum = checksum
        if time.monotonic() - self._synced_at > _SECONDS_BETWEEN_SYNCS:
            self.sync()

    def sync(self) -> None:
        """Have all answers on the disk, so that a power cut does not lose them either."""
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

    def __exit__(self, *error: object) -> None:
        self.close()

    def _is_of_nothing(self) -> bool:
        """Whether it is a whole header and no more: what it was begun for does not matter then."""
        intact = zlib.crc32(self._stored[: _HEADER.size]) == _CHECKSUM.unpack_from(self._stored, _HEADER.size)[0]
        return len(self._stored) == _HEADER_BYTES and intact

    def _check_header(self, header: bytes) -> None:
        stored = self._stored[: _HEADER.size]
        magic, version, digest_bytes, _ = _HEADER.unpack(stored)
        (checksum,) = _CHECKSUM.unpack_from(self._stored, _HEADER.size)
        remedy = "put the right file back, or delete it and run again"
        if magic != _MAGIC or checksum != zlib.crc32(stored):
            fault = "it does not begin as a journal of answers does"
        elif version != _VERSION:
            fault = f"it is of format version {version}, and this db3kd reads version {_VERSION}"
        elif digest_bytes != self._digest_bytes:
            fault = "it was begun with another setting of budget.record"
            was = "true" if digest_bytes else "false"
            remedy = f"set budget.record={was} as before, and nothing is paid twice, or delete it and run again"
        elif stored != header:
            fault = "its answers are to another plan, teacher or part"
        else:
            return
        self.close()
        raise ArtifactError(
            f"{self._path} cannot be used: {fault}; nothing was changed: {remedy}: only the questions of this "
            "unfinished part are asked, and paid, again"
        )

    def _intact_end(self) -> tuple[int, int]:
        """Find where the last whole record ends, and the checksum there."""
        found = _records(self._stored, self._end, self._checksum, self._digest_bytes)
        *_, (end, checksum) = [(self._end, self._checksum), *((end, checksum) for _, end, checksum in found)]
        return end, checksum

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


def answered(path: Path) -> dict[bytes, int]:
    """Read the classes that a recording journal holds, by the digest of the question."""
    found = dict[bytes, int]()
    stored, width_of_digest, starts = _whole_records(path)
    for start in starts if width_of_digest else ():
        rows, _, width = _RECORD.unpack_from(stored, start)
        content = start + _RECORD_BYTES
        classes = np.frombuffer(stored, _TYPES[width], rows, content).tolist()
        digests = content + rows * width
        for row, number in enumerate(classes):
            place = digests + row * width_of_digest
            found.setdefault(stored[place : place + width_of_digest], number)
    return found


def is_record(path: Path) -> bool:
    """Tell whether it is a recording journal, which stays for good; any other is of no use when its part is done."""
    with path.open("rb") as file:
        header = file.read(_HEADER.size)
    return len(header) == _HEADER.size and _HEADER.unpack(header)[2] > 0


def count_rows(path: Path) -> int:
    """Count the answers that wait in a journal, whatever it belongs to; none where there is no such file."""
    if not path.exists():
        return 0
    stored, _, starts = _whole_records(path)
    return sum(int(_RECORD.unpack_from(stored, start)[0]) for start in starts)


def _whole_records(path: Path) -> tuple[bytes, int, list[int]]:
    """Read a journal of anybody: its bytes, how long a digest is in it, and where its whole records begin."""
    stored = path.read_bytes()
    if len(stored) < _HEADER_BYTES or stored[: len(_MAGIC)] != _MAGIC:
        return stored, 0, []
    _, version, digest_bytes, _ = _HEADER.unpack_from(stored)
    if version != _VERSION:
        return stored, 0, []
    checksum = zlib.crc32(stored[: _HEADER.size])
    return stored, digest_bytes, [start for start, _, _ in _records(stored, _HEADER_BYTES, checksum, digest_bytes)]


def _records(data: bytes, position: int, checksum: int, digest_bytes: int) -> Iterator[tuple[int, int, int]]:
    """Go from record to record as far as they are whole: where each begins and ends, and the checksum at its end."""
    stored = memoryview(data)
    while len(stored) - position >= _RECORD_BYTES:
        rows, _, width = _RECORD.unpack_from(stored, position)
        start = position + _RECORD_BYTES
        end = start + rows * (width + digest_bytes)
        if width not in _TYPES or end > len(stored):
            return
        (expected,) = _CHECKSUM.unpack_from(stored, position + _RECORD.size)
        head = zlib.crc32(stored[position : position + _RECORD.size], checksum)
        following = zlib.crc32(stored[start:end], head)
        if following != expected:
            return
        yield position, end, following
        position, checksum = end, following
