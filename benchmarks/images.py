"""How fast a folder of JPEG files becomes a pool, how much memory that takes, and how fast networks learn from it.

The files are made up, and lie in a folder that is deleted at the end. `python -m benchmarks.images` has the options.
"""

import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from PIL import Image

from benchmarks import command
from db3kd.data import Dataset, ImageOptions, Place, load
from db3kd.models import build
from db3kd.models.placement import gather
from db3kd.training import Material, Objective, Recipe, fit

_QUALITY = 90
_BATCH = 128
_SECONDS_BETWEEN_LOOKS = 0.02
_CLASSES = 10
_MIB = 2**20


@dataclass
class Memory:
    """The most memory that this process took, in MiB.

    Args:
        own: that nobody else can have: what is not a file's.
        files: pages of files, which the system takes back when it needs them.
    """

    own: float = 0.0
    files: float = 0.0

    def look(self) -> None:
        """Look how much it is now."""
        # Linux alone tells the two apart.
        lines = (line.split() for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("Rss"))
        found = {name.rstrip(":"): int(kilobytes) / 1024 for name, kilobytes, _ in lines}
        self.own, self.files = max(self.own, found["RssAnon"]), max(self.files, found["RssFile"])


@dataclass(frozen=True)
class ImageFigures:
    """What was measured.

    Args:
        count: files.
        size: side of the images that are wanted, in pixels.
        side: of the files' images.
        file_bytes: of all files.
        seconds_to_pool: from the folder to a pool whose identity is known, so that the first question can be asked.
        decoded_per_second: images, in that time.
        seconds_again: the same at a second start, when a run keeps the pixels.
        gathered_per_second: images in random batches, as a training takes them.
        trained_per_second: images that a network learns from.
        memory_before: of this process before it read anything.
        memory: the most while it read, started again and trained.
    """

    count: int
    size: int
    side: int
    file_bytes: int
    seconds_to_pool: float
    decoded_per_second: float
    seconds_again: float
    gathered_per_second: float
    trained_per_second: float
    memory_before: Memory = field(default_factory=Memory)
    memory: Memory = field(default_factory=Memory)


def write_files(folder: Path, count: int, side: int, *, distinct: int, seed: int = 0) -> int:
    """Write JPEG files, so many of them distinct and the others copies, and give the bytes of all."""
    generator, written = np.random.default_rng(seed), 0
    contents: list[bytes] = []
    for number in range(count):
        path = folder / f"{number % _CLASSES}" / f"{number:07}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        if number < distinct:
            small = Image.fromarray(generator.integers(0, 256, (12, 12, 3), dtype=np.uint8))
            smooth = np.asarray(small.resize((side, side), Image.Resampling.BICUBIC)).astype(np.int16)
            noisy = smooth + generator.integers(-12, 13, smooth.shape, dtype=np.int16)
            Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(path, quality=_QUALITY)
            contents.append(path.read_bytes())
        else:
            path.write_bytes(contents[number % distinct])
        written += len(contents[number % distinct])
    return written


def measure_images(
    folder: Path, kept: Path, *, size: int, count: int, side: int, file_bytes: int, network: str
) -> ImageFigures:
    """Read the folder twice, take batches out of the pool, and train a network on it for a while."""
    before = Memory()
    before.look()
    with watched() as memory, command.showing() as stages:
        place, shape = Place(lambda: kept, progress=stages), (3, size, size)
        started = time.perf_counter()
        pool = load(str(folder), wanted=shape, options=ImageOptions(), place=place)
        identity = pool.digest
        seconds = time.perf_counter() - started
        again = time.perf_counter()
        assert load(str(folder), wanted=shape, options=ImageOptions(), place=place).digest == identity
        seconds_again = time.perf_counter() - again
        gathered = _gathered(pool)
        trained = _trained(pool, network)
    return ImageFigures(
        count, size, side, file_bytes, seconds, len(pool) / seconds, seconds_again, gathered, trained, before, memory
    )


@contextmanager
def watched() -> Iterator[Memory]:
    """Look again and again how much memory this process takes."""
    memory, ended = Memory(), threading.Event()

    def watch() -> None:
        while not ended.wait(_SECONDS_BETWEEN_LOOKS):
            memory.look()

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield memory
    finally:
        ended.set()
        watcher.join()
        memory.look()


def _gathered(pool: Dataset) -> float:
    order = torch.randperm(len(pool), generator=torch.Generator().manual_seed(0))[: 50 * _BATCH]
    started = time.perf_counter()
    for rows in order.split(_BATCH):
        gather(pool.pixels, rows)
    return len(order) / (time.perf_counter() - started)


def _trained(pool: Dataset, network: str) -> float:
    assert pool.labels is not None, "it has class folders"
    seen: list[float] = []
    each = min(len(pool), 10 * _BATCH)
    fit(
        build(network, pool.image_shape, _CLASSES),
        Material(pool.pixels, Objective(labels=pool.labels), images_per_epoch=each),
        Recipe("adam", 1e-3, 2, _BATCH),
        on_epoch=lambda epoch, _: seen.append(epoch.images_per_second),
    )
    return max(seen)


def images(
    *,
    count: Annotated[int, typer.Option(min=1, help="Files.")] = 10_000,
    size: Annotated[int, typer.Option(min=1, help="Side of the images that are wanted.")] = 224,
    side: Annotated[int | None, typer.Option(min=1, help="Side of the files' images; as wanted by default.")] = None,
    distinct: Annotated[int, typer.Option(min=1, help="Files that are no copies of others.")] = 500,
    network: Annotated[str, typer.Option(help="Network that learns from them.")] = "lenet5-fifth",
    folder: Annotated[Path | None, typer.Option(help="Where files and pixels lie meanwhile.")] = None,
    json: Annotated[Path | None, typer.Option(help="File that the figures are written to.")] = None,
) -> None:
    """Measure how a folder of JPEG files becomes a pool."""
    command.check_file(json)
    with tempfile.TemporaryDirectory(prefix="db3kd-images-", dir=folder) as place:
        files = Path(place) / "photos"
        written = write_files(files, count, side or size, distinct=min(distinct, count))
        command.remark(f"{count:,} files of {written / _MIB:,.0f} MiB are written")
        found = measure_images(
            files,
            Path(place) / "run",
            size=size,
            count=count,
            side=side or size,
            file_bytes=written,
            network=network,
        )
    command.write(json, asdict(found))
    command.print_figures(_shown(found))


def _shown(found: ImageFigures) -> Mapping[str, str]:
    return {
        "files": f"{found.count:,} JPEG of {found.side}x{found.side}, {found.file_bytes / _MIB:,.0f} MiB",
        "wanted": f"3x{found.size}x{found.size}, {3 * found.count * found.size**2 / _MIB:,.0f} MiB of pixels",
        "until the first question": f"{found.seconds_to_pool:,.1f} s, {found.decoded_per_second:,.0f} images/s",
        "at a second start": f"{found.seconds_again:,.1f} s",
        "taken in random batches": f"{found.gathered_per_second:,.0f} images/s",
        "learned": f"{found.trained_per_second:,.0f} images/s",
        "memory": f"{found.memory.own:,.0f} MiB at most, {found.memory_before.own:,.0f} MiB of them before reading",
        "pages of files": f"{found.memory.files:,.0f} MiB at most, which the system takes back when it needs them",
    }


if __name__ == "__main__":
    command.run(images, "images")
