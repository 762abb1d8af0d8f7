"""Who decides: what a teacher is, and the adapters that make one."""

from db3kd.teachers.function import FunctionTeacher
from db3kd.teachers.preparation import Preparation, PreparedTeacher
from db3kd.teachers.protocol import Teacher, TeacherSpec
from db3kd.teachers.torch_module import TorchTeacher

__all__ = ["FunctionTeacher", "Preparation", "PreparedTeacher", "Teacher", "TeacherSpec", "TorchTeacher"]
