"""Make the pictures that db3kd holds: glyphs of matplotlib's fonts and the Noto emoji, as two sheets of small tiles.

    python -m tools.picture_box

The emoji come from the npm package `emoji-datasource-google` (see `benchmarks.emoji`), the fonts from the matplotlib
that is installed. Only who wants other pictures runs it: with other pictures, other questions are asked.
"""

import io
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import matplotlib
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from benchmarks.emoji import METADATA, archive_of, content_of, drawn_by
from db3kd.pools.priors.tiles import SIDE

BOX = Path(__file__).parent.parent / "src/db3kd/pools/priors/box"
ACROSS = 64
_SHEET = f"package/img/google/sheets/{SIDE}.png"
# Letters are drawn larger and made smaller, with as much room around each.
_LARGE, _MARGIN = 256, 2
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789&@#%?!$+=*"
_TEXT_FONTS = (
    "DejaVuSans",
    "DejaVuSans-Bold",
    "DejaVuSans-Oblique",
    "DejaVuSansMono",
    "DejaVuSerif",
    "DejaVuSerif-BoldItalic",
    "STIXGeneral",
    "STIXGeneralBolIta",
)
# Greek, Cyrillic, Hebrew, Arabic; arrows, mathematics, technical signs, boxes, shapes, signs, dingbats, further arrows.
_BLOCKS = (
    range(0x391, 0x3CA),
    range(0x410, 0x450),
    range(0x5D0, 0x5EB),
    range(0x627, 0x64B),
    range(0x2190, 0x2400),
    range(0x2580, 0x27C0),
    range(0x2900, 0x2C00),
)


def glyphs() -> list[npt.NDArray[np.uint8]]:
    """Draw every glyph that is wanted and there, no two alike, [side side]."""
    folder = Path(matplotlib.get_data_path()) / "fonts/ttf"
    wanted = [(name, _LETTERS) for name in _TEXT_FONTS]
    wanted.append(("DejaVuSans", "".join(chr(code) for block in _BLOCKS for code in block)))
    drawn: dict[bytes, npt.NDArray[np.uint8]] = {}
    for name, letters in wanted:
        font = ImageFont.truetype(folder / f"{name}.ttf", _LARGE, layout_engine=ImageFont.Layout.BASIC)
        missing = font.getmask("\uffff").getbbox(), bytes(font.getmask("\uffff"))
        for letter in letters:
            mask = font.getmask(letter)
            if mask.getbbox() and (mask.getbbox(), bytes(mask)) != missing:
                tile = _tile(font, letter)
                drawn.setdefault(tile.tobytes(), tile)
    return list(drawn.values())


def _tile(font: ImageFont.FreeTypeFont, letter: str) -> npt.NDArray[np.uint8]:
    """A glyph in the middle of a tile that it fills, in its own proportions."""
    left, top, right, bottom = font.getbbox(letter)
    width, height = int(right - left), int(bottom - top)
    large = Image.new("L", (width, height))
    ImageDraw.Draw(large).text((-left, -top), letter, fill=255, font=font)
    scale = (SIDE - 2 * _MARGIN) / max(width, height)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    tile = Image.new("L", (SIDE, SIDE))
    tile.paste(large.resize(size, Image.Resampling.LANCZOS), ((SIDE - size[0]) // 2, (SIDE - size[1]) // 2))
    return np.asarray(tile)


def emoji() -> Iterator[npt.NDArray[np.uint8]]:
    """Cut the emoji out of the vendor's own sheet, skin tones and bare swatches left out, [side side 4]."""
    with tarfile.open(archive_of("google"), "r:gz") as package:
        files = {entry.name: content_of(package, entry) for entry in package if entry.name in (METADATA, _SHEET)}
    sheet = np.asarray(Image.open(io.BytesIO(files[_SHEET])).convert("RGBA"))
    for one in drawn_by("google", files[METADATA]):
        # Between two tiles of the sheet there are two pixels of nothing.
        top, left = (1 + (SIDE + 2) * one[f"sheet_{axis}"] for axis in "yx")
        yield sheet[top : top + SIDE, left : left + SIDE]


def write(name: str, tiles: Sequence[npt.NDArray[np.uint8]]) -> None:
    """Put tiles into a sheet, row by row; where nothing is seen, nothing is kept."""
    rows = -(-len(tiles) // ACROSS)
    shape = tiles[0].shape[2:]
    sheet = np.zeros((rows, ACROSS, SIDE, SIDE, *shape), dtype=np.uint8)
    for number, tile in enumerate(tiles):
        seen = tile if not shape else np.where(tile[..., 3:] > 0, tile, 0)
        sheet[number // ACROSS, number % ACROSS] = seen
    whole = sheet.swapaxes(1, 2).reshape(rows * SIDE, ACROSS * SIDE, *shape)
    Image.fromarray(whole).save(BOX / name, optimize=True)
    print(f"{name}: {len(tiles):,} tiles, {(BOX / name).stat().st_size:,} bytes")


if __name__ == "__main__":
    write("glyphs.png", glyphs())
    write("emoji.png", list(emoji()))
