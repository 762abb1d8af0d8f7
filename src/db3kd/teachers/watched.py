"""A teacher whose answers are heard of, so that a long search shows that it moves."""

from collections.abc import Callable

from db3kd.teachers.protocol import Teacher, TeacherSpec
from db3kd.tensors import Float, Int, Tensor


class WatchedTeacher:
    """Tells how many rows a teacher answered, after each call."""

    def __init__(self, teacher: Teacher, hear: Callable[[int], None]) -> None:
        self.spec: TeacherSpec = teacher.spec
        self._teacher, self._hear = teacher, hear

    def __call__(self, images: Float[Tensor, "b c h w"]) -> Int[Tensor, " b"]:
        decisions = self._teacher(images)
        self._hear(len(images))
        return decisions
