"""What was bought: images with the teacher's decisions, and where each image came from.

The one type for images with decisions. Pools offer `Candidates`; asked about, they become `Answers`. Files are the
keeper's business, distances those of `db3kd.boundary`.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple

import torch

from db3kd.data import Dataset
from db3kd.data.dataset import in_unit
from db3kd.errors import InputError
from db3kd.tensors import Bool, Float, Int, Tensor, UInt8

MIXTURE = "mixture"
# How an image was found that stands for others like it.
SPREAD = "spread"


def family_of(origin: str) -> str:
    """Give the family of an image or, for a child, that of the first image that it was made of."""
    return origin.rpartition("/")[2]


def found_by(origin: str) -> str:
    """Give how an image was found, as `Candidates.found` has put it before its family; the family where nothing was."""
    return origin.partition("/")[0]


def is_fresh(origin: str) -> bool:
    """Tell whether an image is no child of another one."""
    return "/" not in origin and origin != MIXTURE


@dataclass(frozen=True, eq=False)
class Candidates:
    """Images that nobody has asked about yet, as a pool offers them.

    Args:
        pixels: 0 to 255 where 8-bit, else in [0, 1].
        origins: the family or source of each, for a child how it was made before it, as in "recombined/strokes".
        ids: a name for each, "" for those that get one when they are asked about; or none at all.
        labels: true labels, where the pool knows them.
    """

    pixels: UInt8[Tensor, "n c h w"] | Float[Tensor, "n c h w"]
    origins: tuple[str, ...] = field(repr=False)
    ids: Sequence[str] = field(default=(), repr=False)
    labels: Int[Tensor, " n"] | None = None

    def __len__(self) -> int:
        return len(self.pixels)

    def images(self, rows: Int[Tensor, " b"] | None = None) -> Float[Tensor, "b c h w"]:
        """Give some of them, or all, in [0, 1], as an oracle takes them."""
        pixels = self.pixels if rows is None else self.pixels[rows]
        return in_unit(pixels)

    def take(self, rows: Int[Tensor, " b"]) -> "Candidates":
        """Keep some, in the order of the rows."""
        places = rows.tolist()
        return Candidates(
            self.pixels[rows],
            tuple(self.origins[place] for place in places),
            tuple(self.ids[place] for place in places) if self.ids else (),
            None if self.labels is None else self.labels[rows],
        )

    def found(self, how: str) -> "Candidates":
        """Put before each origin how the images were found, as in "chosen/images"."""
        return replace(self, origins=tuple(f"{how}/{origin}" for origin in self.origins))

    def first(self, count: int | None) -> "Candidates":
        """Keep so many from the first on; all where there are no more, or where no number is given."""
        return self if count is None or count >= len(self) else self.take(torch.arange(count))

    def named(self, first: int) -> tuple[str, ...]:
        """Give all ids; an image without one is called by its origin and number, counted from `first`."""
        own = self.ids or ("",) * len(self)
        numbered = enumerate(zip(own, self.origins, strict=True), start=first)
        return tuple(name or f"{origin.replace(' ', '-')}/{number:07}" for number, (name, origin) in numbered)


def together(parts: Sequence[Candidates]) -> Candidates:
    """Put several sets of candidates into one; labels stay where all sets have some."""
    alike = len({part.pixels.dtype for part in parts}) == 1
    known = [part.labels for part in parts if part.labels is not None]
    ids = tuple(name for part in parts for name in part.ids or ("",) * len(part))
    return Candidates(
        torch.cat([part.pixels if alike else part.images() for part in parts]),
        tuple(origin for part in parts for origin in part.origins),
        ids if any(part.ids for part in parts) else (),
        torch.cat(known) if len(known) == len(parts) else None,
    )


class Coded(NamedTuple):
    """The different origins, and a position among them for each image."""

    names: tuple[str, ...]
    codes: Int[Tensor, " n"]


@dataclass(frozen=True, eq=False)
class Answers:
    """Images with what the teacher decided; it grows by `joined` and never changes.

    Args:
        images: the n images with their ids and, where they are known, true labels.
        decisions: the teacher's class of each; `num_classes` where it abstained.
        origins: where each image came from, as in `Candidates`.
        num_classes: number of classes that the teacher knows.
        aside: the answers that no training sees, so that they can tell how far a student is to be trusted.
    """

    images: Dataset
    decisions: Int[Tensor, " n"]
    origins: tuple[str, ...] = field(repr=False)
    num_classes: int
    aside: Bool[Tensor, " n"]

    def __post_init__(self) -> None:
        sizes = {len(self.images), len(self.decisions), len(self.origins), len(self.aside)}
        if len(sizes) > 1:
            raise InputError(
                f"{len(self.images):,} images need as many decisions, origins and marks, got {len(self.decisions):,}, "
                f"{len(self.origins):,} and {len(self.aside):,}; nothing was kept: give one of each for every image"
            )
        if len(self) and not 0 <= int(self.decisions.min()) <= int(self.decisions.max()) <= self.num_classes:
            raise InputError(
                f"decisions must be from 0 to {self.num_classes - 1}, or {self.num_classes} where the teacher "
                f"abstained, got {int(self.decisions.min())} to {int(self.decisions.max())}; nothing was kept: give "
                "the teacher's real number of classes"
            )

    def __len__(self) -> int:
        return len(self.decisions)

    @cached_property
    def coded(self) -> Coded:
        """The origins as numbers."""
        return _code(self.origins)

    @cached_property
    def families(self) -> Coded:
        """The families as numbers: where an image came from, or the first one that it was made of."""
        names, places = _code([family_of(origin) for origin in self.coded.names])
        return Coded(names, places[self.coded.codes])

    @cached_property
    def digest(self) -> str:
        """The sha256 over images, decisions and marks, in hexadecimal."""
        digest = hashlib.sha256(self.images.digest.encode())
        digest.update(self.decisions.to(torch.int64).numpy().tobytes() + self.aside.numpy().tobytes())
        return digest.hexdigest()

    @property
    def decided(self) -> Bool[Tensor, " n"]:
        """Where the teacher gave a class."""
        return self.decisions < self.num_classes

    def learned(self) -> Int[Tensor, " m"]:
        """Give the rows that a training may see: decided, and not set aside."""
        return (self.decided & ~self.aside).nonzero()[:, 0]

    def marked(self, holds: Callable[[str], bool]) -> Bool[Tensor, " n"]:
        """Mark the answers of whose origin something holds."""
        names, codes = self.coded
        return torch.tensor([holds(name) for name in names], dtype=torch.bool)[codes]

    def unseen(self) -> Int[Tensor, " m"]:
        """Give the rows that are set aside, and that no training may see."""
        return self.aside.nonzero()[:, 0]

    def known(self) -> "Answers":
        """Give the answers that a training may see."""
        return self.take(self.learned())

    def histogram(self) -> Int[Tensor, " num_classes"]:
        """Count the answers of each class."""
        return torch.bincount(self.decisions, minlength=self.num_classes)[: self.num_classes]

    def take(self, rows: Int[Tensor, " b"]) -> "Answers":
        """Keep some, in the order of the rows."""
        origins = tuple(self.origins[row] for row in rows.tolist())
        return Answers(self.images.subset(rows), self.decisions[rows], origins, self.num_classes, self.aside[rows])

    def children(self, way: str, rows: Int[Tensor, " b"]) -> tuple[str, ...]:
        """Give the origins of children of these images, made in some way."""
        names, codes = self.families
        return tuple(f"{way}/{names[code]}" for code in codes[rows].tolist())

    def joined(self, other: "Answers") -> "Answers":
        """Add answers after these, so that no row changes its place; true labels stay where both have some."""
        if not len(self):
            return other
        if not len(other):
            return self
        return Answers(
            self.images.joined(other.images),
            torch.cat([self.decisions, other.decisions]),
            (*self.origins, *other.origins),
            self.num_classes,
            torch.cat([self.aside, other.aside]),
        )


def no_answers(
    image_shape: tuple[int, int, int], num_classes: int, *, name: str = "images", class_names: tuple[str, ...] = ()
) -> Answers:
    """Give the answers of a run that has not begun."""
    # Those of the images may be names of other classes than the teacher's.
    named = class_names if len(class_names) == num_classes else ()
    empty = Dataset(name, (), torch.zeros(0, *image_shape, dtype=torch.uint8), None, named)
    none = torch.zeros(0, dtype=torch.int64)
    return Answers(empty, none, (), num_classes, none.bool())


def _code(origins: Sequence[str]) -> Coded:
    names = tuple(dict.fromkeys(origins))
    places = {name: place for place, name in enumerate(names)}
    return Coded(names, torch.tensor([places[origin] for origin in origins], dtype=torch.int64))
