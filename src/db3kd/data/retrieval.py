"""Finds the published files of a named data set, downloads what is missing, and checks every byte.

Looked through in this order: the folder of a distribution's package, the cache folder, the mirrors. A file that is
there and wrong is refused and never replaced: it may be the user's. What the bytes mean is for the modules of the
formats, which call `read_published`.
"""

import contextlib
import gzip
import hashlib
import logging
import os
import tarfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from db3kd.data.dataset import Split
from db3kd.data.published import Collection, PublishedFile, known_as
from db3kd.errors import DataError, StorageError

logger = logging.getLogger(__name__)

CACHE_VARIABLE = "DB3KD_DATA"
GZIP_MAGIC = b"\x1f\x8b"
# More than any published file holds, so that a file that decompresses without end is not followed there.
LONGEST_CONTENT = 64 * 2**20
SECONDS_TO_ANSWER = 30


def cache_folder() -> Path:
    """Say where downloads are kept: the folder named by DB3KD_DATA, else the platform's cache.

    Returns:
        The folder, which need not exist; each data set has a folder of its name in it.
    """
    chosen = os.environ.get(CACHE_VARIABLE)
    if chosen:
        return Path(chosen).expanduser()
    # Imported here: pooch is slow to import, and data that are on the machine do without it.
    import pooch

    return Path(pooch.os_cache("db3kd"))


def read_published(collection: Collection, split: Split) -> tuple[bytes, ...]:
    """Read the files of one split, downloading those that are nowhere.

    Args:
        collection: the data set.
        split: which half of it.

    Returns:
        The checked content of each file, in the order of the collection.

    Raises:
        DataError: a file is missing and no mirror gave it, or it is not what was published.
        StorageError: the cache folder cannot be written.
    """
    files = collection.train if split == "train" else collection.test
    places = {file: _place(collection, file) for file in files}
    missing = [file for file in files if places[file] is None]
    if missing and collection.archive is not None:
        return _read_archive(_archive(collection, collection.archive), files)
    for number, file in enumerate(missing):
        places[file] = _download(collection, file.name + ".gz", _content_check(file), missing[number:])
    return tuple(_read_file(place, file) for file, place in places.items() if place is not None)


def fetch(url: str, target: Path) -> None:
    """Download one file.

    Args:
        url: an https address.
        target: where to write it.

    Raises:
        DataError: the server cannot be reached or does not give the file.
    """
    # Imported here: both are slow to import, and only a download needs them. Requests comes with pooch.
    import pooch
    import requests

    try:
        pooch.HTTPDownloader(timeout=SECONDS_TO_ANSWER)(url, str(target), None)
    except requests.RequestException as error:
        raise DataError(f"could not be had ({error})") from error


def _place(collection: Collection, file: PublishedFile) -> Path | None:
    candidates = (folder / name for folder in _folders(collection) for name in (file.name + ".gz", file.name))
    return next((place for place in candidates if place.is_file()), None)


def _folders(collection: Collection) -> Iterator[Path]:
    if collection.system_folder is not None:
        yield collection.system_folder
    yield cache_folder() / collection.name
    if collection.archive_folder:
        yield cache_folder() / collection.name / collection.archive_folder


def _read_file(place: Path, file: PublishedFile) -> bytes:
    try:
        return _checked(_decompressed(place), file)
    except DataError as error:
        raise DataError(f"{place} {error}: it was not used; {_way_out(place)}") from error


def _read_archive(place: Path, files: Sequence[PublishedFile]) -> tuple[bytes, ...]:
    wanted = {file.name: file for file in files}
    contents: dict[str, bytes] = {}
    try:
        # Members are read in place and never extracted, so an archive can put no file anywhere.
        with tarfile.open(place, "r:gz") as archive:
            for member in archive:
                name = Path(member.name).name
                stream = archive.extractfile(member) if name in wanted else None
                if stream is not None:
                    contents[name] = _checked(stream.read(LONGEST_CONTENT), wanted[name], "holds what ")
        absent = [name for name in wanted if name not in contents]
        if absent:
            raise DataError(f"holds no {' and no '.join(absent)}")
    except DataError as error:
        raise DataError(f"{place} {error}: it was not used; {_way_out(place)}") from error
    except (OSError, EOFError, zlib.error, tarfile.TarError) as error:
        raise DataError(f"{place} cannot be read to its end ({error}): it was not used; {_way_out(place)}") from error
    return tuple(contents[file.name] for file in files)


def _decompressed(place: Path) -> bytes:
    try:
        with place.open("rb") as stream:
            # By its first bytes, not by its name: browsers save a decompressed file under the name with .gz.
            packed = stream.read(len(GZIP_MAGIC)) == GZIP_MAGIC
        with gzip.open(place) if packed else place.open("rb") as stream:
            return stream.read(LONGEST_CONTENT)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"cannot be read to its end ({error})") from error


def _checked(content: bytes, file: PublishedFile, subject: str = "") -> bytes:
    sha256 = hashlib.sha256(content).hexdigest()
    if sha256 == file.sha256:
        return content
    known = known_as(sha256)
    raise DataError(
        f"{subject}is not {file.name} as it was published: expected {file.size:,} bytes with sha256 {file.sha256} "
        f"(decompressed), got {len(content):,} bytes with sha256 {sha256}" + (f", which is {known}" if known else "")
    )


def _way_out(place: Path) -> str:
    return f"move {place.name} away to have it downloaded, or put the published file in its place"


def _content_check(file: PublishedFile) -> Callable[[Path], None]:
    def check(place: Path) -> None:
        _checked(_decompressed(place), file)

    return check


def _archive(collection: Collection, archive: PublishedFile) -> Path:
    place = cache_folder() / collection.name / archive.name
    if place.is_file():
        return place

    def check(downloaded: Path) -> None:
        with downloaded.open("rb") as stream:
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        if sha256 != archive.sha256:
            raise DataError(
                f"is not {archive.name} as it was published: expected {archive.size:,} bytes with sha256 "
                f"{archive.sha256}, got {downloaded.stat().st_size:,} bytes with sha256 {sha256}"
            )

    return _download(collection, archive.name, check, [archive])


def _download(
    collection: Collection, name: str, check: Callable[[Path], None], missing: Sequence[PublishedFile]
) -> Path:
    target = cache_folder() / collection.name / name
    tried = []
    for mirror in collection.mirrors:
        logger.info("downloading %s%s to %s", mirror, name, target)
        try:
            with _appearing_whole(target) as temporary:
                fetch(mirror + name, temporary)
                check(temporary)
        except DataError as error:
            tried.append(f"{mirror}{name} {error}")
        except OSError as error:
            raise StorageError(
                f"{target} cannot be written ({error}): nothing of it was kept; "
                f"make room, or set {CACHE_VARIABLE} to a folder that can be written"
            ) from error
        else:
            return target
    raise DataError(_offline(collection, missing, target.parent, tried))


def _offline(collection: Collection, missing: Sequence[PublishedFile], folder: Path, tried: Sequence[str]) -> str:
    packed = "" if collection.archive is not None else ".gz"
    of_what = "" if collection.archive is not None else " once decompressed"
    wanted = "\n".join(
        f"  {file.name}{packed}  from {collection.mirrors[0]}{file.name}{packed}\n    sha256{of_what}: {file.sha256}"
        for file in missing
    )
    package = f"\nDebian's package {collection.package} brings them, too." if collection.package else ""
    return (
        f"{collection.name} is not on this machine and could not be downloaded: put\n{wanted}\n"
        f"into {folder} (the variable {CACHE_VARIABLE} names another cache folder) and run again.{package}\n"
        "What was tried:\n  " + "\n  ".join(tried)
    )


@contextlib.contextmanager
def _appearing_whole(target: Path) -> Iterator[Path]:
    target.parent.mkdir(parents=True, exist_ok=True)
    # With the process in its name, so that two sessions that download at once do not write into one file.
    temporary = target.with_name(f"{target.name}.{os.getpid()}.part")
    try:
        yield temporary
        with temporary.open("rb+") as stream:
            os.fsync(stream.fileno())
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
