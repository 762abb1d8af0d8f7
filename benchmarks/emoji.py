r"""A set of small colour pictures: the emoji that two vendors draw, in the groups of their own metadata.

    python -m benchmarks.emoji --out emoji.npz
    db3kd train --data npz:emoji.npz --architecture residual --set train.epochs=30 --run runs/emoji-teacher
    python -m benchmarks.frontier --teacher torch:residual@runs/emoji-teacher/model.safetensors --images npz:emoji.npz \
        --students residual-half --questions 153 --run runs/emoji

The pictures are in two packages of the npm registry, `emoji-datasource-google` (Noto, Apache 2.0) and
`emoji-datasource-twitter` (Twemoji, CC BY 4.0), which are fetched by npm and not kept in this repository. Skin tones
are left out: they would make two thirds of all pictures people. What differs by sex or direction alone is one motif,
and all pictures of a motif, of both vendors, are either in the pool or held out.
"""

import hashlib
import io
import json
import subprocess
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import typer
from PIL import Image

from benchmarks import command
from db3kd.data import draw
from db3kd.data.retrieval import CACHE_VARIABLE, cache_folder
from db3kd.errors import DataError, StorageError

VENDORS: Mapping[str, str] = {
    "google": "fb5fd131b362aab7a55542d2a147a79708cce0a8b1c1bbacd470172708b5c438",
    "twitter": "f64a530c63bca463bd8317fdc4615ce63a53a0c65018e4ce2d848aaba7a28877",
}
METADATA = "package/emoji.json"
_VERSION, _SIDE, _SECONDS = "16.0.0", 64, 600
# Five bare swatches of skin are no group.
_LEFT_OUT = "Component"
# Joiners, sexes and directions; and the man, the woman and the person that carry a role.
_SAME_MOTIF, _PEOPLE = {"200D", "FE0F", "2640", "2642", "27A1"}, {"1F468", "1F469", "1F9D1"}
_HELD_OUT = 5


@dataclass(frozen=True)
class Picture:
    """One picture.

    Args:
        vendor: who drew it.
        group: of its emoji.
        motif: the same for what differs by sex or direction alone.
        pixels: red, green and blue on white.
    """

    vendor: str
    group: str
    motif: str
    pixels: npt.NDArray[np.uint8]


def motif_of(code_points: str) -> str:
    """Tell which motif an emoji shows, by its code points in hexadecimal with hyphens between them."""
    points = [point for point in code_points.split("-") if point not in _SAME_MOTIF]
    return "-".join("person" if point in _PEOPLE and len(points) > 1 else point for point in points)


def archive_of(vendor: str) -> Path:
    """Find a vendor's package in the cache folder, or have npm fetch it there.

    Raises:
        DataError: it could not be fetched, or is not the one that was measured with.
        StorageError: the cache folder cannot be written.
    """
    folder, package = cache_folder() / "emoji", f"emoji-datasource-{vendor}"
    place = folder / f"{package}-{_VERSION}.tgz"
    wanted = f"{place.name} (npm pack {package}@{_VERSION}), sha256 {VENDORS[vendor]}, in {folder}"
    if not place.exists():
        fetching = ("npm", "pack", "--silent", "--pack-destination", str(folder), f"{package}@{_VERSION}")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            subprocess.run(fetching, check=True, capture_output=True, text=True, timeout=_SECONDS)
        except (FileNotFoundError, subprocess.SubprocessError) as error:
            said = str(getattr(error, "stderr", None) or error).strip()
            raise DataError(
                f"the emoji could not be fetched by npm; nothing was written: put {wanted}\n{said}"
            ) from error
        except OSError as error:
            raise StorageError(
                f"{folder} cannot be written ({error}); nothing was written: make room, or set {CACHE_VARIABLE} to a "
                "folder that can be written"
            ) from error
    found = hashlib.sha256(place.read_bytes()).hexdigest()
    if found != VENDORS[vendor]:
        raise DataError(
            f"{place} has sha256 {found}: it was not used; move it away to have it fetched, or put {wanted}"
        )
    return place


def pictures(vendor: str, archive: Path, side: int) -> Iterator[Picture]:
    """Read a vendor's pictures, in the order of the metadata."""
    with tarfile.open(archive, "r:gz") as package:
        # Read in one go: a compressed archive has no way back.
        files = {entry.name: content_of(package, entry) for entry in package if entry.name.endswith((".png", ".json"))}
    for emoji in drawn_by(vendor, files[METADATA]):
        drawn = files[f"package/img/{vendor}/64/{emoji['image']}"]
        yield Picture(vendor, emoji["category"], motif_of(emoji["unified"]), on_white(drawn, side))


def drawn_by(vendor: str, metadata: bytes) -> Iterator[dict[str, Any]]:
    """List the emoji of which a vendor has a picture, bare swatches left out."""
    for emoji in json.loads(metadata):
        if emoji["category"] != _LEFT_OUT and emoji[f"has_img_{vendor}"]:
            yield emoji


def content_of(package: tarfile.TarFile, entry: tarfile.TarInfo) -> bytes:
    """Read a file of a package."""
    stream = package.extractfile(entry)
    assert stream is not None, "a file, by its name"
    return stream.read()


def on_white(png: bytes, side: int) -> npt.NDArray[np.uint8]:
    """Decode a picture that may be transparent, [side side 3]."""
    with Image.open(io.BytesIO(png)) as opened:
        picture = opened.convert("RGBA")
    white = Image.new("RGBA", picture.size, "white")
    shown = Image.alpha_composite(white, picture).convert("RGB")
    return np.asarray(shown if shown.size == (side, side) else shown.resize((side, side), Image.Resampling.LANCZOS))


def split(found: Sequence[Picture]) -> dict[str, npt.NDArray[Any]]:
    """Divide pictures into a pool and, of each group, a fifth of the motifs to measure on.

    Returns:
        The arrays of an archive that `--images npz:FILE` reads.
    """
    groups = sorted({picture.group for picture in found})
    held_out: set[str] = set()
    for group in groups:
        motifs = sorted({picture.motif for picture in found if picture.group == group})
        held_out |= {motifs[row] for row in draw(motifs, len(motifs) // _HELD_OUT, seed=0).tolist()}
    arrays: dict[str, npt.NDArray[Any]] = {"class_names": np.array(groups)}
    for suffix, wanted in (("", False), ("_test", True)):
        some = [picture for picture in found if (picture.motif in held_out) is wanted]
        arrays[f"images{suffix}"] = np.stack([picture.pixels for picture in some])
        arrays[f"labels{suffix}"] = np.array([groups.index(picture.group) for picture in some])
    return arrays


def emoji(
    *,
    out: Annotated[Path, typer.Option(help="The archive of pictures to write.")],
    side: Annotated[
        int, typer.Option(min=8, max=64, help="Their height and width; above 40 networks are slower.")
    ] = _SIDE,
) -> None:
    """Write the emoji for `--images npz:FILE`: a pool, and a fifth of all motifs to measure on."""
    command.check_file(out)
    arrays = split([picture for vendor in VENDORS for picture in pictures(vendor, archive_of(vendor), side)])
    command.write_divided(out, arrays, "group")


if __name__ == "__main__":
    command.run(emoji, "emoji")
