"""Files that a run makes and others read, such as safetensors, with their digests beside them.

A sealed file would not open in other programs, so the digests of these stand in `digests.json`. A digest is written
before its file: after a kill in between, the file there is the one before, whose digest is kept as well. `run.py`
calls it.
"""

import hashlib
import logging
from pathlib import Path
from typing import final

from db3kd.errors import ArtifactError
from db3kd.runs.files import storage_errors, write_atomically
from db3kd.runs.records import read_object, write_object

_logger = logging.getLogger(__name__)

_WAY_OUT = "delete it and run again: the files that it speaks of are made again; decisions are asked, and paid, again"


@final
class Artifacts:
    """A folder of files and `digests.json`.

    Args:
        folder: the folder, which must be there before a file is put.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._digests = folder / "digests.json"

    def put(self, name: str, data: bytes) -> None:
        """Keep a file, in the place of the one before.

        Args:
            name: the file's name.
            data: its content.

        Raises:
            ArtifactError: `digests.json` was changed.
            StorageError: the disk is full or the folder cannot be written; the file is as it was before.
        """
        path, known = self._folder / name, self._known()
        # What is there may be older than the newest digest, if an earlier kill came between the two.
        with storage_errors(path):
            there = [hashlib.sha256(path.read_bytes()).hexdigest()] if path.exists() else []
        vouched = [digest for digest in there if digest in known.get(name, [])]
        write_object(self._digests, {"sha256": known | {name: [*vouched, hashlib.sha256(data).hexdigest()]}})
        write_atomically(path, data)

    def get(self, name: str) -> bytes | None:
        """Read a file.

        Args:
            name: the file's name.

        Returns:
            Its content, or None where there is none or where it has no digest: then nobody vouches for it, and it is
            to be made again.

        Raises:
            ArtifactError: the file or `digests.json` was changed or cut short.
        """
        path = self._folder / name
        if not path.exists():
            return None
        known = self._known().get(name)
        if known is None:
            _logger.warning("%s has no digest in %s: it is not used, and is made again", path, self._digests.name)
            return None
        data = path.read_bytes()
        actual = hashlib.sha256(data).hexdigest()
        if actual not in known:
            raise ArtifactError(
                f"{path} was changed: a content with the SHA-256 {known[-1]} was expected, and {len(data):,} bytes "
                f"with {actual} came; nothing was read from it: put the right file back, or delete it and run again: "
                "only it is made again, from what was bought"
            )
        return data

    def has(self, name: str) -> bool:
        """Tell whether a file is there with a digest; whether it is whole shows when it is read."""
        return (self._folder / name).exists() and name in self._known()

    def remove(self, name: str) -> None:
        """Delete a file, if it is there.

        Args:
            name: the file's name.

        Raises:
            StorageError: the folder cannot be written.
        """
        with storage_errors(self._folder / name):
            (self._folder / name).unlink(missing_ok=True)

    def _known(self) -> dict[str, list[str]]:
        """Read the digests: of each name the one of the file that was there before, and the newest."""
        values = (read_object(self._digests, _WAY_OUT) or {"sha256": {}}).get("sha256")
        if not isinstance(values, dict) or not all(isinstance(digests, list) for digests in values.values()):
            raise ArtifactError(f"{self._digests} was changed: lists of digests were expected; {_WAY_OUT}")
        return values
