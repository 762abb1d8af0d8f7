"""What somebody hands over as a teacher, made into one where nothing has to be guessed."""

from torch import nn

from db3kd.errors import PlanError
from db3kd.teachers.protocol import Teacher, TeacherSpec
from db3kd.teachers.scikit_learn import Estimator, SklearnTeacher


def recognised(given: object, image_shape: tuple[int, int, int] | None) -> Teacher:
    """Take a teacher as it is, and make one of a fitted scikit-learn classifier.

    Args:
        given: what somebody calls a teacher.
        image_shape: channels, height and width of the images that it will be asked about; None where nobody knows.

    Returns:
        The teacher.

    Raises:
        PlanError: it is something else; the message says what to write. Nothing was asked.
    """
    name = type(given).__name__
    if isinstance(given, type):
        raise PlanError(f"the teacher is the class {given.__name__}; nothing was asked: give an object of it")
    if isinstance(given, Teacher) and isinstance(given.spec, TeacherSpec):
        return given
    if isinstance(given, Estimator):
        if image_shape is None:
            raise PlanError(
                f"{name} does not say what images it takes, and there are none; nothing was asked: write "
                "SklearnTeacher(estimator, input_shape=(channels, height, width))"
            )
        return SklearnTeacher(given, input_shape=image_shape)
    shape = "(channels, height, width)" if image_shape is None else str(image_shape)
    if isinstance(given, nn.Module):
        way_out = f"write TorchTeacher(module, input_shape={shape}, num_classes=...)"
    elif hasattr(given, "predict") and hasattr(given, "fit"):
        way_out = "fit it first, as a classifier of one output; it then has classes_"
    elif callable(given):
        way_out = f"write FunctionTeacher(function, input_shape={shape}, num_classes=...), or class_names=[...]"
    elif isinstance(given, str):
        way_out = "a URI is for the command line; write OnnxTeacher, HuggingFaceTeacher, TorchTeacher, ..."
    else:
        way_out = "give an object of db3kd.teachers"
    raise PlanError(f"expected a teacher, got {name}; nothing was asked: {way_out}")
