"""Pages of text, rendered on the spot and turned by 0, 90, 180 or 270 degrees, and a small network for them.

What a published classifier of page orientation is asked about: nobody's documents are needed. As a program it writes
a file of pages: `python tests/rendered_pages.py FILE.npz PAGES HELD_OUT SEED`.
"""

import itertools
import sys
from collections.abc import Callable
from pathlib import Path

import matplotlib
import numpy as np
from jaxtyping import Int, UInt8
from PIL import Image, ImageDraw, ImageFont
from torch import nn

SIDE, TURNS = 224, 4
_SHORT = 256
_TEXT = (
    "the of and to in is that for it as was with be by on not he his but at are this have from or had an they "
    "which one you were all her she there would their we him been has when who will no more if out so up said "
    "what its about than into them can only other time new some could these two may first then do any like my "
    "now over such our man me even most made after also did many before must through years where much your "
    "way well down should because each people Page Report January Street Order number Invoice total amount "
    "London quality paper daily judge glyph height depth"
)
_FACES: tuple[str, ...] = (
    "DejaVuSans",
    "DejaVuSans-Bold",
    "DejaVuSans-Oblique",
    "DejaVuSansMono",
    "DejaVuSerif",
    "DejaVuSerif-Bold",
)
_FACES += ("STIXGeneral", "STIXGeneralItalic", "STIXGeneralBol")

Colour = tuple[int, int, int]


class Page:
    """A page that is being written.

    Args:
        random: all that varies.
        size: width and height in pixels.
    """

    def __init__(self, random: np.random.Generator, size: tuple[int, int]) -> None:
        self.random, (self.width, self.height) = random, size
        self.ink: Colour = tuple(int(part) for part in random.integers(0, 90, 3))  # type: ignore[assignment]  # three
        paper = tuple(int(part) for part in random.integers(215, 256, 3))
        self.image = Image.new("RGB", size, paper)
        self.draw = ImageDraw.Draw(self.image)
        self.margin = int(random.integers(20, 60))
        self.face = str(random.choice(_FACES))
        self.size = int(random.integers(13, 27))

    def font(self, size: int) -> ImageFont.FreeTypeFont:
        """The page's face at a size."""
        return ImageFont.truetype(str(Path(matplotlib.get_data_path(), "fonts/ttf", f"{self.face}.ttf")), size)

    def words(self, count: int) -> str:
        """So many words, with a figure or a comma here and there."""
        drawn = [str(word) for word in self.random.choice(_TEXT.split(), count)]
        marks = self.random.choice(["", "", "", "", "", ",", ".", " 12", " 1987"], count)
        return " ".join(f"{word}{mark}" for word, mark in zip(drawn, marks, strict=True)).capitalize()

    def lines(self, box: tuple[int, int, int, int], *, gap: float = 1.35) -> None:
        """Fill a box with paragraphs, ragged at the right."""
        left, top, right, bottom = box
        font, step = self.font(self.size), int(self.size * gap)
        while top + step < bottom:
            rest = int(self.random.integers(2, 9))
            indent = int(self.random.choice([0, 0, self.size]))
            while rest and top + step < bottom:
                text, share = self.words(14), 1.0 if rest > 1 else float(self.random.uniform(0.2, 0.9))
                room = (right - left - indent) * share
                while text and font.getlength(text) > room:
                    text = text.rpartition(" ")[0]
                self.draw.text((left + indent, top), text, fill=self.ink, font=font)
                top, rest, indent = top + step, rest - 1, 0
            top += int(self.random.integers(0, step))

    def title(self, top: int) -> int:
        """A heading; gives where it ends."""
        size = int(self.size * self.random.uniform(1.3, 2.2))
        colour = tuple(int(part) for part in self.random.integers(0, 160, 3))
        words = self.words(int(self.random.integers(2, 5))).title()
        self.draw.text((self.margin, top), words, fill=colour, font=self.font(size))
        return top + int(size * 1.6)

    def table(self, top: int, bottom: int) -> None:
        """Cells with words and figures, with rules or without."""
        columns, step = int(self.random.integers(2, 5)), int(self.size * 1.8)
        wide, font = (self.width - 2 * self.margin) // columns, self.font(self.size)
        ruled = bool(self.random.integers(2))
        for y in range(top, bottom - step, step):
            for column in range(columns):
                x = self.margin + column * wide
                text = self.words(1) if column == 0 else f"{self.random.uniform(0, 999):,.2f}"
                self.draw.text((x + 5, y + 3), text, fill=self.ink, font=font)
                if ruled:
                    self.draw.rectangle((x, y, x + wide, y + step), outline=self.ink)

    def figure(self, top: int, bottom: int) -> None:
        """A block of colour, or bars, with a caption under it."""
        caption = bottom - int(self.size * 1.5)
        colour = tuple(int(part) for part in self.random.integers(60, 220, 3))
        right = self.width - self.margin
        if self.random.integers(2):
            self.draw.rectangle((self.margin, top, right, max(top, caption - 4)), fill=colour)
        else:
            wide = (right - self.margin) // 6
            for number, share in enumerate(self.random.uniform(0.1, 1, 6)):
                x = self.margin + number * wide
                base = caption - 4
                self.draw.rectangle((x, base - share * max(0, base - top), x + wide // 2, base), fill=colour)
        self.draw.text((self.margin, caption), self.words(5), fill=self.ink, font=self.font(self.size))


def _plain(page: Page) -> None:
    page.lines((page.margin, page.title(page.margin), page.width - page.margin, page.height - page.margin))


def _letter(page: Page) -> None:
    half = page.width // 2
    page.lines((half, page.margin, page.width - page.margin, page.margin + 5 * page.size))
    page.lines((page.margin, page.margin + 8 * page.size, page.width - page.margin, int(page.height * 0.8)))
    page.lines((page.margin, int(page.height * 0.86), half, page.height - page.margin))


def _columns(page: Page) -> None:
    top, half, gap = page.title(page.margin), page.width // 2, 10
    page.lines((page.margin, top, half - gap, page.height - page.margin))
    page.lines((half + gap, top, page.width - page.margin, page.height - page.margin))


def _tabular(page: Page) -> None:
    top = page.title(page.margin)
    middle = int(page.height * page.random.uniform(0.3, 0.5))
    page.lines((page.margin, top, page.width - page.margin, middle))
    page.table(middle + page.size, page.height - page.margin)


def _illustrated(page: Page) -> None:
    top = page.title(page.margin)
    ends = int(page.height * page.random.uniform(0.35, 0.55))
    page.figure(top, ends)
    page.lines((page.margin, ends + page.size, page.width - page.margin, page.height - page.margin))


LAYOUTS: tuple[Callable[[Page], None], ...] = (_plain, _letter, _columns, _tabular, _illustrated)


def render(seed: int, number: int) -> Image.Image:
    """Render one page, upright.

    Args:
        seed: of the set.
        number: of the page in it.

    Returns:
        A page of 430 to 700 pixels in width, higher than wide or the other way round.
    """
    random = np.random.default_rng([seed, number])
    wide = int(random.integers(430, 700))
    page = Page(random, (wide, int(wide * random.uniform(0.75, 1.45))))
    LAYOUTS[int(random.integers(len(LAYOUTS)))](page)
    return page.image


def turned(page: Image.Image, turn: int) -> UInt8[np.ndarray, "h w c"]:
    """Turn a page clockwise by so many quarters, and cut out its middle as published code for such teachers does."""
    image = page.rotate(-90 * turn, expand=True)
    scale = _SHORT / min(image.size)
    image = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.LANCZOS)
    left, top = (image.width - SIDE) // 2, (image.height - SIDE) // 2
    return np.asarray(image.crop((left, top, left + SIDE, top + SIDE)))


def pages(count: int, seed: int) -> tuple[UInt8[np.ndarray, "n h w c"], Int[np.ndarray, " n"]]:
    """Render pages.

    Args:
        count: n.
        seed: of all that varies.

    Returns:
        Pages, and by how many quarters each was turned, counted as the teacher counts them.
    """
    turns = np.random.default_rng([seed, 2**20]).integers(TURNS, size=count)
    images = np.stack([turned(render(seed, number), int(turn)) for number, turn in enumerate(turns)])
    return images, turns.astype(np.int64)


def small_student(input_shape: tuple[int, int, int], num_classes: int) -> nn.Module:
    """Five convolutions, each of which halves the page, and the mean over what is left: evidence adds up."""
    widths = (input_shape[0], 16, 24, 32, 48, 64)
    layers: list[nn.Module] = []
    for number, (inputs, outputs) in enumerate(itertools.pairwise(widths)):
        size = 5 if number == 0 else 3
        layers += [nn.Conv2d(inputs, outputs, size, stride=2, padding=size // 2, bias=False)]
        layers += [nn.BatchNorm2d(outputs), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(widths[-1], num_classes))


def write(file: Path, train: int, test: int, *, seed: int = 0) -> None:
    """Write pages to learn from and pages that are held out.

    Args:
        file: an npz archive, as `npz:FILE` reads it.
        train: so many to learn from.
        test: so many held out.
        seed: of the former; the latter have the next one.
    """
    images, labels = pages(train, seed)
    images_test, labels_test = pages(test, seed + 1)
    names = np.array(["0", "90", "180", "270"])
    np.savez_compressed(
        file, images=images, labels=labels, images_test=images_test, labels_test=labels_test, class_names=names
    )


if __name__ == "__main__":
    write(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), seed=int(sys.argv[4]))
