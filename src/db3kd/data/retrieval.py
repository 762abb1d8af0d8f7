"""Finds the published files of a named data set, has pooch download what is missing, and checks what is in them.

Looked through in this order: the folder of a distribution's package, the cache folder, the mirrors. A file that is
there and wrong is refused and never replaced: it may be the user's. What the bytes mean is for the modules of the
formats, which call `read_published`.
"""

import gzip
import hashlib
import logging
import os
import tarfile
import zlib
from collections.abc import Sequence
from pathlib import Path

from db3kd.data.dataset import Split
from db3kd.data.published import Collection, known_as
from db3kd.errors import DataError, StorageError

_log = logging.getLogger(__name__)

CACHE_VARIABLE = "DB3KD_DATA"
RETRIES = 2
_GZIP_MAGIC = b"\x1f\x8b"
# More than any published file holds, so that a file that decompresses without end is not followed there.
_LONGEST_CONTENT = 64 * 2**20
_WAY_OUT = "it was not used; move it away to have it downloaded, or put the published file in its place"


def cache_folder() -> Path:
    """Give the folder for downloads, which need not exist: the one that DB3KD_DATA names, else the platform's cache."""
    # Imported here: pooch is slow to import, and most sources do without it.
    import pooch

    return Path(os.environ.get(CACHE_VARIABLE) or pooch.os_cache("db3kd")).expanduser()


def read_published(collection: Collection, split: Split) -> tuple[bytes, ...]:
    """Give the checked content of the files of one split, in their order; those that are nowhere are downloaded."""
    names = collection.train if split == "train" else collection.test
    places = {name: _find(collection, name) for name in names}
    missing = [name for name, place in places.items() if place is None]
    if missing and collection.archive:
        archive = cache_folder() / collection.name / collection.archive
        return _read_archive(archive if archive.is_file() else _download(collection, [archive.name]), collection, names)
    for number, name in enumerate(missing):
        places[name] = _download(collection, [f"{one}.gz" for one in missing[number:]])
    return tuple(_read_file(place, collection, name) for name, place in places.items() if place is not None)


def _find(collection: Collection, name: str) -> Path | None:
    cache = cache_folder() / collection.name
    folders = (collection.system_folder or cache, cache, cache / collection.archive_folder)
    candidates = (folder / file for folder in folders for file in (f"{name}.gz", name))
    return next((place for place in candidates if place.is_file()), None)


def _download(collection: Collection, missing: Sequence[str]) -> Path:
    """Download the first file that is missing; the error names them all."""
    # Imported here: both are slow to import, and only a download needs them. Requests comes with pooch.
    import pooch
    import requests

    # It logs to the screen by itself, which is the command line's business.
    pooch.get_logger().setLevel(logging.WARNING)
    folder, name, tried = cache_folder() / collection.name, missing[0], []
    for mirror in collection.mirrors:
        _log.info("downloading %s%s to %s", mirror, name, folder)
        cache = pooch.create(folder, mirror, registry={name: collection.sha256[name]}, retry_if_failed=RETRIES)
        try:
            return Path(cache.fetch(name))
        except (ValueError, requests.RequestException) as error:
            tried.append(f"{mirror}{name} could not be had ({error})")
        except OSError as error:
            raise StorageError(
                f"{folder / name} cannot be written ({error}): nothing of it was kept; "
                f"make room, or set {CACHE_VARIABLE} to a folder that can be written"
            ) from error
    wanted = [f"{one} from {collection.mirrors[0]}{one}, sha256 {collection.sha256[one]}" for one in missing]
    package = f"\nDebian's package {collection.package} brings them, too." if collection.package else ""
    raise DataError(
        f"{collection.name} is not on this machine and could not be downloaded: put\n  " + "\n  ".join(wanted) + "\n"
        f"into {folder} (the variable {CACHE_VARIABLE} names another cache folder) and run again.{package}\n"
        "What was tried:\n  " + "\n  ".join(tried)
    )


def _read_file(place: Path, collection: Collection, name: str) -> bytes:
    try:
        with place.open("rb") as stream:
            # By its first bytes, not by its name: browsers save a decompressed file under the name with .gz.
            packed = stream.read(len(_GZIP_MAGIC)) == _GZIP_MAGIC
        with gzip.open(place) if packed else place.open("rb") as stream:
            return _checked(stream.read(_LONGEST_CONTENT), collection, name, str(place))
    except (OSError, EOFError, zlib.error) as error:
        raise _unreadable(place, error) from error


def _read_archive(place: Path, collection: Collection, names: Sequence[str]) -> tuple[bytes, ...]:
    contents: dict[str, bytes] = {}
    try:
        # Members are read in place and never extracted, so an archive can put no file anywhere.
        with tarfile.open(place, "r:gz") as archive:
            for member in archive:
                name = Path(member.name).name
                stream = archive.extractfile(member) if name in names else None
                if stream is not None:
                    contents[name] = _checked(stream.read(_LONGEST_CONTENT), collection, name, f"{place} holds what")
    except (OSError, EOFError, zlib.error, tarfile.TarError) as error:
        raise _unreadable(place, error) from error
    absent = [name for name in names if name not in contents]
    if absent:
        raise DataError(f"{place} holds no {' and no '.join(absent)}: {_WAY_OUT}")
    return tuple(contents[name] for name in names)


def _unreadable(place: Path, error: Exception) -> DataError:
    return DataError(f"{place} cannot be read to its end ({error}): {_WAY_OUT}")


def _checked(content: bytes, collection: Collection, name: str, place: str) -> bytes:
    expected, sha256 = collection.sha256[name], hashlib.sha256(content).hexdigest()
    if sha256 == expected:
        return content
    known = known_as(sha256)
    raise DataError(
        f"{place} is not {name} as it was published: expected sha256 {expected} (decompressed), got "
        f"{len(content):,} bytes with sha256 {sha256}{f', which is {known}' if known else ''}: {_WAY_OUT}"
    )
