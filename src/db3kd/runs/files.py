"""Files that appear whole or not at all.

`write_atomically` is the only way in which a run replaces a file. What stands in the files is decided by the modules of
this room.
"""

import errno
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from db3kd.errors import StorageError

_WAYS_OUT = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some of your quota",
    errno.EFBIG: "raise the limit on the size of a file",
    errno.EACCES: "make the folder writable or use another run directory",
    errno.EPERM: "make the folder writable or use another run directory",
    errno.EROFS: "use a run directory on a disk that can be written",
}


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn what the system says about a file or folder into a `StorageError` that says what to do."""
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"{path} could not be written: {error.strerror or error}; it is as it was before, and so is all else in "
            f"the run: {_WAYS_OUT.get(error.errno or 0, 'see to that')}, and run again to go on"
        ) from error


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file so that it is there whole or as it was before, whatever happens in between."""
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    with storage_errors(path):
        try:
            with draft.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
        except BaseException:
            with suppress(OSError):
                draft.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on the disk: a new file survives a power cut only after this."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network file systems keep names safe by themselves and refuse the call.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def remove_drafts(folder: Path) -> None:
    """Remove what killed writers left over in a folder, in which nobody may be writing."""
    # 32 hexadecimal digits: no file of a user is called so. SQLite adds its own endings to a draft of a ledger.
    for draft in folder.glob(f".*.{'[0-9a-f]' * 32}.tmp*"):
        draft.unlink(missing_ok=True)
