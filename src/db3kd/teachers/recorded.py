"""A recorded teacher: answers that were paid once, replayed without the teacher.

Called by `db3kd.oracle` like any other; its queries are booked, and cost nobody anything.
"""

import hashlib
from pathlib import Path
from typing import Any

import torch

from db3kd.answers import Answers
from db3kd.errors import TeacherError
from db3kd.teachers.protocol import TeacherSpec
from db3kd.tensors import Float, Int, Tensor

_DIGEST_BYTES = 16


def questions(images: Float[Tensor, "b c h w"]) -> list[bytes]:
    """Tell images apart by a digest of each.

    Args:
        images: as they are sent.

    Returns:
        16 bytes an image.
    """
    pixels = images.detach().cpu().contiguous().numpy().astype("<f4", copy=False)
    return [hashlib.blake2b(row.tobytes(), digest_size=_DIGEST_BYTES).digest() for row in pixels]


def describe(spec: TeacherSpec) -> dict[str, object]:
    """Say of a teacher what a recording must know to stand in for it."""
    return {
        "fingerprint": spec.fingerprint,
        "input_shape": list(spec.input_shape),
        "num_classes": spec.num_classes,
        "bounds": list(spec.bounds),
        "max_batch": spec.max_batch,
        "levels": spec.levels,
        "abstains": spec.abstains,
    }


class RecordedTeacher:
    """Stands in for a teacher, as far as its answers were recorded; it has the teacher's own fingerprint.

    Args:
        path: `answers.sqlite` of a run that was recorded.

    Raises:
        ArtifactError: there is no such file, or it is damaged.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with Answers(path) as answers:
            about: dict[str, Any] = answers.about
        channels, height, width = about["input_shape"]
        low, high = about["bounds"]
        self.spec = TeacherSpec(
            (channels, height, width),
            about["num_classes"],
            (low, high),
            about["max_batch"],
            about["fingerprint"],
            about["levels"],
            abstains=about["abstains"],
        )

    def __call__(self, images: Float[Tensor, "b c h w"]) -> Int[Tensor, " b"]:
        """Decide; see `Teacher`. What was never asked is an error that says so."""
        asked = questions(images)
        with Answers(self._path) as answers:
            found = answers.find(asked)
        missing = sum(question not in found for question in asked)
        if missing:
            raise TeacherError(
                f"{missing} of {len(asked)} questions were never asked when {self._path} was recorded; what was "
                "replayed before is kept: ask what was asked then, or the teacher itself"
            )
        return torch.tensor([found[question] for question in asked], dtype=torch.int64)
