"""Who decides: what a teacher is, and the adapters that make one."""

from db3kd.teachers.abstention import AbstainingTeacher
from db3kd.teachers.function import FunctionTeacher
from db3kd.teachers.hugging_face import HuggingFaceTeacher
from db3kd.teachers.layout import ModelDescription
from db3kd.teachers.meter import Meter
from db3kd.teachers.onnx_model import OnnxTeacher
from db3kd.teachers.preparation import Preparation, PreparedTeacher, ServedTeacher
from db3kd.teachers.protocol import Service, Teacher, TeacherSpec
from db3kd.teachers.recognition import recognised
from db3kd.teachers.scikit_learn import SklearnTeacher
from db3kd.teachers.torch_module import TorchTeacher

__all__ = [
    "AbstainingTeacher",
    "FunctionTeacher",
    "HuggingFaceTeacher",
    "Meter",
    "ModelDescription",
    "OnnxTeacher",
    "Preparation",
    "PreparedTeacher",
    "ServedTeacher",
    "Service",
    "SklearnTeacher",
    "Teacher",
    "TeacherSpec",
    "TorchTeacher",
    "recognised",
]
