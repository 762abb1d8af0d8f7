"""A model server as a teacher, by the Open Inference Protocol v2 (KServe, Triton, MLServer, `db3kd serve`)."""

from db3kd.teachers.open_inference.teacher import OpenInferenceTeacher, ServerOptions

__all__ = ["OpenInferenceTeacher", "ServerOptions"]
