"""A teacher that is watched, so that a long search shows that it moves.

Made by the commands beside this module.
"""

from collections.abc import Callable

from db3kd.teachers import Teacher, TeacherSpec
from db3kd.tensors import Float, Int, Tensor


class Watched:
    """A teacher whose answers are heard of, so that a long search shows that it moves.

    Args:
        teacher: decides.
        hear: is told how many rows were answered.
    """

    def __init__(self, teacher: Teacher, hear: Callable[[int], None]) -> None:
        self.spec: TeacherSpec = teacher.spec
        self._teacher, self._hear = teacher, hear

    def __call__(self, images: Float[Tensor, "b c h w"]) -> Int[Tensor, " b"]:
        """Decide; see `db3kd.teachers.Teacher`."""
        decisions = self._teacher(images)
        self._hear(len(images))
        return decisions
