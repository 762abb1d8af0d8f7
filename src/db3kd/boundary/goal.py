"""Which side of the boundary a search wants to reach, and for which image.

A row of a search is a pair of an image and a goal. Targeted and untargeted goals are two values of one type,
so no search is written twice. Searches and the driver import from here; nothing here asks a teacher.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from db3kd.errors import InputError
from db3kd.tensors import Bool, Float, Int, Tensor


@dataclass(frozen=True)
class Goals:
    """What k rows want of a decision: to be their class where that is to be reached, else to be any other."""

    classes: Int[Tensor, " k"]
    reaching: Bool[Tensor, " k"]

    @classmethod
    def reach(cls, targets: Int[Tensor, " k"]) -> "Goals":
        """Want the decision to be the target (targeted)."""
        return cls(targets, torch.ones_like(targets, dtype=torch.bool))

    @classmethod
    def leave(cls, own: Int[Tensor, " k"]) -> "Goals":
        """Want the decision to be anything but the own class (untargeted)."""
        return cls(own, torch.zeros_like(own, dtype=torch.bool))

    def of(self, rows: Int[Tensor, " r"]) -> "Goals":
        """Give the goals of some rows."""
        return Goals(self.classes[rows], self.reaching[rows])

    def across(self, rows: Int[Tensor, " b"], decisions: Int[Tensor, " b"]) -> Bool[Tensor, " b"]:
        """Tell which of the decisions are what their rows want."""
        return (decisions == self.classes[rows]) == self.reaching[rows]


@dataclass(frozen=True)
class Pairs:
    """The k rows of a search: images, each with one or more goals.

    Args:
        images: the n images that the rows start from, in input units.
        image_of: the image of each row, from 0 to n - 1.
        goals: what each row wants.
        keys: a number per row that its random choices are drawn by, so that they depend on the seed, the image's id
            and the goal, and on nothing else in the batch.
    """

    images: Float[Tensor, "n c h w"]
    image_of: Int[Tensor, " k"]
    goals: Goals
    keys: Int[Tensor, " k"]

    def __len__(self) -> int:
        return len(self.image_of)

    @classmethod
    def every_other_class(
        cls,
        images: Float[Tensor, "n c h w"],
        ids: Sequence[str],
        decisions: Int[Tensor, " n"],
        *,
        num_classes: int,
        seed: int = 0,
    ) -> "Pairs":
        """Pair each image with every class but the one that the teacher gave it, image by image."""
        _check_alike(images, ids, decisions)
        classes = torch.arange(num_classes, device=images.device).expand(len(images), num_classes)
        wanted = classes != decisions[:, None]
        image_of = wanted.nonzero()[:, 0]
        targets = classes[wanted]
        return cls(images, image_of, Goals.reach(targets), _keys(ids, image_of, targets, seed))

    @classmethod
    def leaving_own_class(
        cls, images: Float[Tensor, "n c h w"], ids: Sequence[str], decisions: Int[Tensor, " n"], *, seed: int = 0
    ) -> "Pairs":
        """Pair each image with the one goal of leaving its own class."""
        _check_alike(images, ids, decisions)
        image_of = torch.arange(len(images), device=images.device)
        return cls(images, image_of, Goals.leave(decisions), _keys(ids, image_of, -1 - decisions, seed))


def _check_alike(images: Float[Tensor, "n c h w"], ids: Sequence[str], decisions: Int[Tensor, " m"]) -> None:
    if not len(images) == len(ids) == len(decisions):
        raise InputError(
            f"{len(images):,} images need as many ids and decisions, got {len(ids):,} and {len(decisions):,}; nothing "
            "was asked: give one of each for every image"
        )


def _keys(
    ids: Sequence[str], image_of: Int[Tensor, " k"], goal_numbers: Int[Tensor, " k"], seed: int
) -> Int[Tensor, " k"]:
    """A non-negative 62-bit number per row, made of the seed, the image's id and the goal."""
    image_keys = torch.tensor(
        [int.from_bytes(hashlib.blake2b(f"{seed}:{i}".encode(), digest_size=7).digest(), "big") for i in ids],
        dtype=torch.int64,
    )
    # Multiplication wraps around; the shift folds the high bits back, so that neighbouring goals lie far apart.
    mixed = (image_keys[image_of.cpu()] + goal_numbers.cpu() + 1) * 0x2545F4914F6CDD1D
    return ((mixed ^ (mixed >> 29)) & (2**62 - 1)).to(image_of.device)
