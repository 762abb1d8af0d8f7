"""Files that appear whole or not at all, and that tell when they were changed.

`write_atomically` is the only way in which a run replaces a file. A sealed file begins with the length and the
digest of its content. What stands in the files is decided by the modules beside this one.
"""

import errno
import hashlib
import os
import struct
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from db3kd.errors import ArtifactError, StorageError

_SEAL = struct.Struct("<8sIQ32s")  # magic, format version, length and SHA-256 of the content
_MAGIC = b"db3kd\r\n\x1a"  # a transfer that changes line ends or stops at the end-of-file character breaks it
_SEAL_VERSION = 1
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
    """Turn what the system says into what the user can do.

    Args:
        path: the file or folder that is about to be written.

    Yields:
        Nothing.

    Raises:
        StorageError: the system refused.
    """
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"{path} could not be written: {error.strerror or error}; it is as it was before, and so is all else in "
            f"the run: {_WAYS_OUT.get(error.errno or 0, 'see to that')}, and run again to go on"
        ) from error


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file so that it is there whole or as it was before, whatever happens in between.

    Args:
        path: the file, in a folder that is there.
        data: its whole content.

    Raises:
        StorageError: the disk is full or the folder cannot be written; the file is as it was before.
    """
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
    """Have the names in a folder on the disk: a new file survives a power cut only after this.

    Args:
        folder: the folder.
    """
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
    """Remove what killed writers left over; nobody may be writing in the folder.

    Args:
        folder: the folder, which need not be there.
    """
    # 32 hexadecimal digits: no file of a user is called so. SQLite adds its own endings to a draft of a ledger.
    for draft in folder.glob(f".*.{'[0-9a-f]' * 32}.tmp*"):
        draft.unlink(missing_ok=True)


def digest(name: str, data: bytes) -> bytes:
    """Tell whether a content is the one that was written under this name: SHA-256 over both.

    Args:
        name: the file's name, so that two files cannot be swapped.
        data: the content.

    Returns:
        32 bytes.
    """
    return hashlib.sha256(name.encode() + b"\0" + data).digest()


def seal(name: str, data: bytes) -> bytes:
    """Put the length and the digest of a content before it.

    Args:
        name: the file's name.
        data: the content.

    Returns:
        What is to be written.
    """
    return _SEAL.pack(_MAGIC, _SEAL_VERSION, len(data), digest(name, data)) + data


def unseal(path: Path, way_out: str) -> bytes:
    """Read a sealed file.

    Args:
        path: the file.
        way_out: what the user can do if it was changed.

    Returns:
        The content, just as it was sealed.

    Raises:
        ArtifactError: the file was changed, cut short, renamed, or is of another format version.
        FileNotFoundError: there is no such file.
    """
    stored = path.read_bytes()
    data = stored[_SEAL.size :]
    fault = None
    if len(stored) < _SEAL.size:
        fault = f"it should be at least {_SEAL.size} bytes long and is {len(stored)}"
    else:
        magic, version, length, expected = _SEAL.unpack_from(stored)
        if magic != _MAGIC:
            fault = "it does not begin as db3kd's files do"
        elif version != _SEAL_VERSION:
            fault = f"it is of format version {version}, and this db3kd reads version {_SEAL_VERSION}"
        elif length != len(data):
            fault = f"it should hold {length:,} bytes and holds {len(data):,}"
        elif expected != digest(path.name, data):
            fault = "its content is not what was written under this name"
    if fault is not None:
        raise ArtifactError(f"{path} was changed: {fault}; nothing was read from it: {way_out}")
    return data
