"""Pictures into pixels, side by side in threads, in their order; broken ones are left out.

What is done to a picture is the business of `picture`, where pixels lie that of `pixel_rows`. Called by `files`,
`given` and `refitting`.
"""

import hashlib
import io
import json
import warnings
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from db3kd.context import count_cores
from db3kd.data.picture import ImageOptions, Shape, formed, shape_of
from db3kd.data.pixel_rows import FORMAT, PixelRows, Place
from db3kd.data.reading import Reading, Tally, short
from db3kd.errors import DataError
from db3kd.tensors import Tensor

if TYPE_CHECKING:
    from PIL import Image

# What pillow reads by itself: others start programs (EPS), or are no pictures of one size.
_FORMATS = ("AVIF", "BMP", "DIB", "GIF", "ICO", "JPEG", "JPEG2000", "MPO", "PCX", "PNG", "PPM", "TGA", "TIFF", "WEBP")
SUFFIXES = (
    *(".apng", ".avif", ".bmp", ".gif", ".ico", ".j2k", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg", ".mpo", ".pbm"),
    *(".pcx", ".pgm", ".png", ".pnm", ".ppm", ".tga", ".tif", ".tiff", ".webp"),
)
_FILES_OF_A_TASK = 16
_TASKS_AHEAD = 4
# After so many bytes it is written down how far a file of a run is.
_BYTES_OF_A_NOTE = 64 * 2**20


class Block(NamedTuple):
    """Pictures that were read one after another: which ones, what was done to them, and why some could not be read."""

    planes: Sequence[Any]
    rows: Sequence[int]
    changes: Mapping[str, int]
    broken: Mapping[int, str]


class Decoded(NamedTuple):
    """All pictures that could be read, and which they are."""

    pixels: Tensor
    rows: tuple[int, ...]
    reading: Reading
    store: PixelRows


def decode_files(
    paths: Sequence[Path], ids: Sequence[str], shape: Shape, options: ImageOptions, *, name: str, place: Place
) -> Decoded:
    """Read files side by side."""
    key = _key(paths, ids, shape, options)
    store = PixelRows(shape, "uint8", len(paths), place=place, key=key)
    starts = range(store.done, len(paths), _FILES_OF_A_TASK)
    parts = (range(start, min(start + _FILES_OF_A_TASK, len(paths))) for start in starts)
    tasks = (partial(block_of, [(row, paths[row]) for row in part], shape, options) for part in parts)
    return collect(tasks, ids, store, shape, options, name=name, place=place)


def collect(
    tasks: Iterable[Callable[[], Block]],
    ids: Sequence[str],
    store: PixelRows,
    shape: Shape,
    options: ImageOptions,
    *,
    name: str,
    place: Place,
) -> Decoded:
    """Read blocks side by side and put them together in their order; a DataError where too many pictures are broken.

    The tasks are taken one after another, and done in threads.
    """
    total, tally = len(ids), Tally(name, len(ids), stop=options.broken == "stop", share=options.broken_share)
    out, done, since = set[int](), store.done, _Since()

    def leave_out(row: int, reason: str) -> None:
        out.add(row)
        tally.note_broken(ids[row], reason)

    with ExitStack() as unless_whole:
        unless_whole.callback(store.close)
        blocks = unless_whole.enter_context(closing(_side_by_side(tasks)))
        for note in store.notes:
            tally.note_changes(note.get("changes", {}))
            for row, reason in note.get("broken", {}).items():
                leave_out(int(row), reason)
        for block in blocks:
            tally.note_changes(block.changes)
            for row, reason in block.broken.items():
                leave_out(row, reason)
            if block.planes:
                store.add(np.stack(block.planes))
            done += len(block.planes) + len(block.broken)
            since.add(block)
            if since.bytes >= _BYTES_OF_A_NOTE or done == total:
                store.note({"done": done, "changes": dict(since.changes), "broken": since.broken})
                since = _Since()
            place.progress(place.name, done, total, "images")
        if len(out) == total:
            # Where all may be broken.
            raise DataError(f"{name}: none of {total:,} images can be read; nothing was asked: name other images")
        pixels = store.tensor()
        unless_whole.pop_all()
    reading = Reading(name, total, shape, options.fit, dict(tally.changes), tally.broken)
    rows = tuple(row for row in range(total) if row not in out)
    return Decoded(pixels, rows, reading, store)


class _Since:
    """What has come since the last note."""

    def __init__(self) -> None:
        self.changes: Counter[str] = Counter()
        self.broken: dict[str, str] = {}
        self.bytes = 0

    def add(self, block: Block) -> None:
        self.changes.update(block.changes)
        self.broken.update({str(row): short(reason) for row, reason in block.broken.items()})
        self.bytes += sum(planes.nbytes for planes in block.planes)


def open_picture(source: Path | bytes) -> "Image.Image":
    """Open a picture of a format that is read; its pixels are decoded when they are needed."""
    from PIL import Image

    Image.init()
    formats = [one for one in _FORMATS if one in Image.OPEN]
    return Image.open(io.BytesIO(source) if isinstance(source, bytes) else source, formats=formats)


def form_picture(source: "Path | bytes | Image.Image", shape: Shape, options: ImageOptions) -> tuple[Any, list[str]]:
    """Open a picture and bring it to a shape; whatever pillow raises goes on."""
    if not isinstance(source, (Path, bytes)):
        # Drafting would change the picture, which is the user's.
        return formed(source.copy() if source.format in ("JPEG", "MPO") else source, shape, options)
    with open_picture(source) as image:
        return formed(image, shape, options)


def reason_of(error: Exception) -> str:
    """Say in a line why a picture cannot be read."""
    from PIL import UnidentifiedImageError

    if isinstance(error, UnidentifiedImageError):
        return "no image of a known format"
    if isinstance(error, KeyError):
        # Its text is the key alone.
        return f"it has no {error}"
    return str(error) or type(error).__name__


def common_shape(paths: Sequence[Path], options: ImageOptions, *, name: str) -> Shape:
    """Give the shape that all pictures have; what options say of it holds. A DataError where sizes differ."""
    sizes: Counter[tuple[int, int]] = Counter()
    colored = False
    with quiet(), ThreadPoolExecutor(count_cores()) as threads:
        for shape in threads.map(_shape_of_file, paths):
            if shape is not None:
                sizes[shape[1:]] += 1
                colored |= shape[0] > 1
    if not sizes:
        return (3, 1, 1)
    if options.size is None and len(sizes) > 1:
        shown = ", ".join(f"{height}x{width} ({count:,})" for (height, width), count in sizes.most_common(4))
        raise DataError(
            f"{name}: the images have {len(sizes):,} sizes, and it is not known which one is wanted: {shown}: nothing "
            "was asked; say it with size = [height, width]"
        )
    found = (3 if colored else 1, *next(iter(sizes)))
    return options.shape(found) or found


def _shape_of_file(path: Path) -> Shape | None:
    try:
        with open_picture(path) as image:
            return shape_of(image)
    except Exception:  # noqa: BLE001  # what is broken shows when it is decoded
        return None


def _side_by_side(tasks: Iterable[Callable[[], Block]]) -> Generator[Block]:
    cores, waiting = count_cores(), deque[Future[Block]]()
    with quiet(), ThreadPoolExecutor(cores) as threads:
        try:
            for task in tasks:
                waiting.append(threads.submit(task))
                if len(waiting) == _TASKS_AHEAD * cores:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for left in waiting:
                left.cancel()


def block_of(sources: Iterable[tuple[int, Any]], shape: Shape, options: ImageOptions) -> Block:
    """Read some pictures; one that cannot be read is noted."""
    planes, kept, changes, broken = list[Any](), list[int](), Counter[str](), dict[int, str]()
    for row, source in sources:
        try:
            pixels, done = form_picture(source, shape, options)
        except Exception as error:  # noqa: BLE001  # broken files make pillow raise errors of any kind
            broken[row] = reason_of(error)
            continue
        planes.append(pixels)
        kept.append(row)
        changes.update(done)
    return Block(planes, kept, changes, broken)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep pillow's warnings of odd files to itself; what cannot be read is told."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _key(paths: Sequence[Path], ids: Sequence[str], shape: Shape, options: ImageOptions) -> str:
    """Tell which pixels are wanted: of which files, of which state, made how and by what."""
    from PIL import __version__

    digest = hashlib.sha256(f"{FORMAT} {__version__} {shape} {options.fit} {options.background}".encode())
    for path, name in zip(paths, ids, strict=True):
        try:
            about = path.stat()
            state = [about.st_size, about.st_mtime_ns]
        except (OSError, ValueError):
            state = [-1, -1]
        digest.update(json.dumps([name, *state]).encode())
    return digest.hexdigest()
