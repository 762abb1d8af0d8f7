"""Small JSON files of a run: one object with a format version, or a line per record.

`run.py` and `keeper.py` call it; what stands in the objects is theirs.
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
    """Write one JSON object with its format version."""
    write_atomically(path, (json.dumps({"format": _VERSION, **values}, indent=2) + "\n").encode())


def read_object(path: Path, way_out: str) -> dict[str, object] | None:
    """Read one JSON object; None where there is no file, an ArtifactError where it was changed."""
    if not path.exists():
        return None
    return _checked(path, path.read_bytes(), way_out)


def append_record(path: Path, record: Mapping[str, object]) -> None:
    """Add a line to a file of records, and have it on the disk; a number that JSON cannot hold is written as null."""
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
    """Replace a file of records, whose lines are as for `append_record`."""
    write_atomically(path, b"".join([_line({"format": _VERSION}), *map(_line, records)]))


def read_records(path: Path) -> tuple[dict[str, object], ...]:
    """Read a file of records without a torn last line; none where there is no file; changed, an ArtifactError."""
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
