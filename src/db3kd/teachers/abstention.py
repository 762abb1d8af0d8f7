"""A teacher that may decline to decide: what it then says is no class, and no student learns from it."""

from dataclasses import replace

import torch

from db3kd.arguments import check_arguments
from db3kd.errors import PlanError
from db3kd.teachers.protocol import Teacher, TeacherSpec, spec_of
from db3kd.tensors import Float, Int, Tensor


class AbstainingTeacher:
    """Turns all answers that are no class into one number, `spec.num_classes`.

    Args:
        teacher: may answer with a class or with one of these.
        abstentions: its answers that are no class, such as -1 or 10 of a teacher of ten classes.
    """

    def __init__(self, teacher: Teacher, abstentions: tuple[int, ...]) -> None:
        check_arguments(AbstainingTeacher.__init__, locals())
        spec = spec_of(teacher)
        classes = spec.num_classes
        if not abstentions or any(0 <= answer < classes for answer in abstentions):
            raise PlanError(
                f"abstentions are answers that are no class, below 0 or from {classes} on, got {list(abstentions)}; "
                "nothing was asked: set num_classes to the number of real classes, the first ones"
            )
        self._teacher = teacher
        self._abstentions = torch.tensor(abstentions)
        fingerprint = f"{spec.fingerprint} abstaining with {sorted(abstentions)}"
        self.spec: TeacherSpec = replace(spec, abstains=True, fingerprint=fingerprint)

    def __call__(self, images: Float[Tensor, "b c h w"]) -> Int[Tensor, " b"]:
        """Decide; see `Teacher`. An answer of `num_classes` is none."""
        decisions = self._teacher(images)
        return torch.where(torch.isin(decisions, self._abstentions), self.spec.num_classes, decisions)
