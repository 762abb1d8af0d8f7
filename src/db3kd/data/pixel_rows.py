"""Where decoded images lie: in memory where they are few, in a file without a name where they are many, or in a run.

A file of a run has a second one beside it, with lines of JSON: what the pixels were made of, how far they are, and a
digest when they are all there. A process that was killed goes on after the last line. Of what has no name by which it
is known again, such as somebody's data set, the file is made anew in each start.
"""

import contextlib
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, final

import numpy as np
import torch

from db3kd.context import Progress, silent
from db3kd.data.mapped import map_file
from db3kd.errors import StorageError
from db3kd.tensors import Tensor

_log = logging.getLogger(__name__)

FORMAT = "db3kd-pixels-1"
IN_MEMORY = 256 * 2**20
KEPT_FROM = 32 * 2**20
_SPARE = 64 * 2**20


@dataclass(frozen=True)
class Place:
    """Where decoded images may lie, and who hears how far reading is.

    Args:
        folder: makes the folder of a run in which pixels are kept, when it is needed; None where there is no run.
        name: of the files there.
        progress: hears of it.
    """

    folder: Callable[[], Path] | None = None
    name: str = "images"
    progress: Progress = silent


NOWHERE = Place()


@final
class PixelRows:
    """Takes rows of pixels one after another, `most` of them, and gives them as one tensor.

    By the key, which says what they are made of, a file of a run is used again; without one it never is.
    """

    def __init__(self, shape: tuple[int, ...], dtype: str, most: int, *, place: Place, key: str | None = None) -> None:
        self._shape, self._dtype, self._rows = shape, np.dtype(dtype), 0
        self._bytes = int(np.prod(shape, dtype=object)) * self._dtype.itemsize
        self.notes: list[Mapping[str, Any]] = []
        self._file: BinaryIO | None = None
        self._log_path: Path | None = None
        self._memory: Any = None
        size = self._bytes * most
        if place.folder is not None and size > KEPT_FROM:
            self._open_kept(place.folder(), place.name, key, size)
        elif size > IN_MEMORY:
            self._file = _nameless(size)
        else:
            self._memory = np.empty((most, *shape), dtype=self._dtype)

    @property
    def is_kept(self) -> bool:
        """Whether a run keeps them."""
        return self._log_path is not None

    @property
    def done(self) -> int:
        """How many of the images were read when it was noted last."""
        return int(self.notes[-1].get("done", 0)) if self.notes else 0

    @property
    def digest(self) -> str | None:
        """The digest that was noted when all was there; None before."""
        return None if not self.notes else self.notes[-1].get("digest")

    def add(self, rows: Any) -> None:
        """Add rows."""
        if self._memory is not None:
            self._memory[self._rows : self._rows + len(rows)] = rows
        else:
            assert self._file is not None, "one of both is there"
            with _told("the decoded images"):
                self._file.write(np.ascontiguousarray(rows, dtype=self._dtype).data)
        self._rows += len(rows)

    def note(self, about: Mapping[str, Any]) -> None:
        """Write down how far it is, so that a killed process goes on here; nothing where nothing is kept."""
        if self._log_path is None or self._file is None:
            return
        line = {**about, "rows": self._rows}
        with _told(str(self._log_path)):
            self._file.flush()
            os.fsync(self._file.fileno())
            _append(self._log_path, line)
        self.notes.append(line)

    def close(self) -> None:
        """Close the file, of which nothing is used."""
        if self._file is not None:
            self._file.close()

    def forget(self) -> None:
        """Begin anew: what is there is not what was written."""
        if self._log_path is not None:
            self._log_path.unlink(missing_ok=True)

    def tensor(self) -> Tensor:
        """Give all rows."""
        shape = (self._rows, *self._shape)
        if self._memory is not None or not self._rows:
            return torch.from_numpy(
                np.empty(shape, self._dtype) if self._memory is None else self._memory[: self._rows]
            )
        assert self._file is not None, "one of both is there"
        with _told("the decoded images"):
            self._file.flush()
        return map_file(self._file, shape, self._dtype.name)

    def _open_kept(self, folder: Path, name: str, key: str | None, size: int) -> None:
        pixels, log = folder / f"{name}.pixels", folder / f"{name}.jsonl"
        with _told(str(pixels)):
            folder.mkdir(parents=True, exist_ok=True)
            begun = _lines(log) if key is not None and pixels.exists() else []
            whole = all(isinstance(line.get(name), int) for line in begun[1:] for name in ("rows", "done"))
            if not begun or begun[0] != {"format": FORMAT, "key": key} or not whole:
                log.unlink(missing_ok=True)
                pixels.unlink(missing_ok=True)
                _check_space(folder, size)
                pixels.touch()
                begun = [{"format": FORMAT, "key": key}]
                _append(log, begun[0])
            self._rows = int(begun[-1].get("rows", 0))
            # An old mapping of this file may be in use: it is lengthened, and never written anew.
            self._file = pixels.open("r+b")
            if pixels.stat().st_size < self._rows * self._bytes:
                _log.warning("%s was cut short and is made again", pixels)
                begun, self._rows = begun[:1], 0
                log.unlink()
                _append(log, begun[0])
            if pixels.stat().st_size > self._rows * self._bytes:
                self._file.truncate(self._rows * self._bytes)
            self._file.seek(self._rows * self._bytes)
        self.notes, self._log_path = begun[1:], log


def _nameless(size: int) -> BinaryIO:
    """Open a file that is gone with the process, where large ones belong; often /tmp is in memory."""
    with _told("a temporary file for decoded images"):
        wide = Path("/var/tmp")
        folder = os.environ.get("TMPDIR") or (str(wide) if os.access(wide, os.W_OK) else None)
        _check_space(Path(folder or tempfile.gettempdir()), size)
        opened: Any = tempfile.TemporaryFile(dir=folder, prefix="db3kd-")  # noqa: SIM115  # it lives as long as its mapping
        return opened  # type: ignore[no-any-return]  # a file of bytes


def _check_space(folder: Path, size: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < size + _SPARE:
        raise StorageError(
            f"the decoded images take {size / 2**30:,.1f} GiB, and {folder} has {free / 2**30:,.1f} GiB left; nothing "
            "was read or asked: free some space, use a run directory on another disk, or take fewer images (limit)"
        )


@contextlib.contextmanager
def _told(what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"{what} could not be written: {error.strerror or error}; nothing was asked: see to that, and run again to "
            "go on"
        ) from error


def _append(path: Path, line: Mapping[str, Any]) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
        file.flush()
        os.fsync(file.fileno())


def _lines(path: Path) -> list[Mapping[str, Any]]:
    """Read what was noted, without a last line that a kill tore off."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return []
    found = []
    for line in text.split("\n")[:-1]:
        try:
            found.append(json.loads(line))
        except ValueError:
            break
    return [line for line in found if isinstance(line, dict)]
