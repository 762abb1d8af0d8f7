"""Small JSON files of a run: one object with a format version, or a line per record.

`run.py` and `artifacts.py` call it; what stands in the objects is theirs.
"""

import json
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from db3kd.errors import ArtifactError
from db3kd.runs.files import storage_errors, write_atomically

_VERSION = 1


def write_object(path: Path, values: Mapping[str, object]) -> None:
    """Write one JSON object with its format version.

    Args:
        path: the file.
        values: what JSON can hold.

    Raises:
        StorageError: the disk is full or the folder cannot be written.
    """
    write_atomically(path, (json.dumps({"format": _VERSION, **values}, indent=2) + "\n").encode())


def read_object(path: Path, way_out: str) -> dict[str, object] | None:
    """Read one JSON object.

    Args:
        path: the file.
        way_out: what the user can do if it was changed.

    Returns:
        The values, or None where there is no file.

    Raises:
        ArtifactError: the file was edited into something else, or is of another format version.
    """
    if not path.exists():
        return None
    return _checked(path, path.read_bytes(), way_out)


def append_record(path: Path, record: Mapping[str, object]) -> None:
    """Add a line to a file of records, and have it on the disk.

    Args:
        path: the file, made where there is none.
        record: what JSON can hold; a number that JSON cannot hold (infinite, not a number) is written as null.

    Raises:
        StorageError: the disk is full or the file cannot be written; the lines before are kept.
    """
    if not path.exists():
        write_records(path, [record])
        return
    with storage_errors(path), path.open("r+b") as file:
        # What follows the last line's end was torn off by a kill.
        end = file.read().rfind(b"\n") + 1
        file.truncate(end)
        file.seek(end)
        try:
            file.write(_line(record))
            file.flush()
            os.fsync(file.fileno())
        except OSError:
            os.ftruncate(file.fileno(), end)
            raise


def write_records(path: Path, records: Sequence[Mapping[str, object]]) -> None:
    """Replace a file of records.

    Args:
        path: the file.
        records: as for `append_record`.

    Raises:
        StorageError: the disk is full or the folder cannot be written; the file is as it was before.
    """
    write_atomically(path, b"".join([_line({"format": _VERSION}), *map(_line, records)]))


def read_records(path: Path) -> tuple[dict[str, object], ...]:
    """Read a file of records, without a last line that a kill tore off.

    Args:
        path: the file.

    Returns:
        The records in their order; none where there is no file.

    Raises:
        ArtifactError: a line was edited into something else, or the file is of another format version.
    """
    if not path.exists():
        return ()
    way_out = "put the right file back, or delete it and run again: only the figures in it are lost"
    first, *lines = path.read_bytes().split(b"\n")[:-1] or [b""]
    _checked(path, first, way_out)
    return tuple(_parsed(path, line, way_out) for line in lines)


def _line(record: Mapping[str, object]) -> bytes:
    finite = {
        key: None if isinstance(value, float) and not math.isfinite(value) else value for key, value in record.items()
    }
    return (json.dumps(finite, allow_nan=False) + "\n").encode()


def _checked(path: Path, content: bytes, way_out: str) -> dict[str, object]:
    values = _parsed(path, content, way_out)
    version = values.pop("format", None)
    if version != _VERSION:
        raise ArtifactError(
            f"{path} is of format version {version}, and this db3kd reads version {_VERSION}; nothing was changed: "
            f"go on with the db3kd that wrote it, or {way_out}"
        )
    return values


def _parsed(path: Path, content: bytes, way_out: str) -> dict[str, object]:
    try:
        values = json.loads(content)
    except ValueError as error:
        raise ArtifactError(f"{path} was changed and is no JSON any more ({error}); {way_out}") from error
    if not isinstance(values, dict):
        raise ArtifactError(f"{path} was changed: an object was expected and {content[:40]!r} came; {way_out}")
    return values
