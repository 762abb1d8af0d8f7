"""From a teacher's URI to the teacher, with the preparation that the plan asks for.

Called by `opening` for a whole plan, and by the commands that need a teacher alone.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from torch import nn

from db3kd.errors import PlanError, needing
from db3kd.models import parameter_count, weights
from db3kd.names import load
from db3kd.plan.teacher_keys import TeacherSection
from db3kd.runs import RecordedTeacher
from db3kd.teachers import (
    AbstainingTeacher,
    FunctionTeacher,
    HuggingFaceTeacher,
    ModelDescription,
    OnnxTeacher,
    Preparation,
    PreparedTeacher,
    ServedTeacher,
    Service,
    SklearnTeacher,
    Teacher,
    TorchTeacher,
)
from db3kd.teachers.function import Decide
from db3kd.teachers.scikit_learn import Estimator

# A teacher that describes itself may still need these.
_PREPARATION_KEYS = {"resize", "interpolation", "crop", "scale", "gray_to_color", "channel_order", "mean", "deviation"}
_SERVICE_KEYS = {"in_flight", "rate_limit", "patience"}
_MAX_BATCH, _ESTIMATOR_BATCH = 96, 1024
_UNIT, _BYTES = (0.0, 1.0), (0.0, 255.0)


@dataclass(frozen=True)
class OpenedTeacher:
    """A teacher with what the report says of it.

    Args:
        teacher: decides.
        parameters: number of its weights; None where it is no network of ours.
    """

    teacher: Teacher
    parameters: int | None


def open_teacher(section: TeacherSection, *, device: str = "cpu") -> OpenedTeacher:
    """Open the teacher that a URI names."""
    if section.bounds != _UNIT and _is_prepared(section):
        raise PlanError(
            "teacher.bounds and keys of its preparation (scale, mean, deviation, ...) cannot both be given: before "
            "that, the bounds are 0 and 1; nothing was asked: leave teacher.bounds out"
        )
    opened = _open(section, device)
    teacher, asked = opened.teacher, _service(section, opened.teacher.spec.service)
    if asked != teacher.spec.service:
        teacher = ServedTeacher(teacher, asked)
    if section.abstentions:
        teacher = AbstainingTeacher(teacher, section.abstentions)
    return OpenedTeacher(teacher, opened.parameters)


def open_bare_teacher(section: TeacherSection, device: str) -> Teacher:
    """Open a teacher by itself, as each replica of it does."""
    return open_teacher(section, device=device).teacher


def _open(section: TeacherSection, device: str) -> OpenedTeacher:
    scheme, _, rest = section.uri.partition(":")
    match scheme:
        case "torch" if rest:
            return _open_torch(section, rest, device)
        case "recorded" if rest:
            return OpenedTeacher(_open_recorded(section, rest), None)
        case "http" | "https" if rest:
            return OpenedTeacher(_open_server(section), None)
        case "hf" if rest:
            return _open_hugging_face(section, rest, device)
        case "chat" if rest:
            return OpenedTeacher(_open_chat(section, rest), None)
        case "onnx" if rest:
            described, rows = _description(section), section.max_batch or _MAX_BATCH
            opened = OnnxTeacher(rest, description=described, max_batch=rows, device=device)
            return OpenedTeacher(_prepared(section, opened), None)
        case "python" if rest.count(":") == 1:
            return OpenedTeacher(_open_python(section, rest, device), None)
    raise PlanError(
        "teacher.uri must be torch:FILE, torch:ARCHITECTURE@FILE, onnx:FILE, hf:DIR_OR_NAME, "
        "http(s)://HOST:PORT/v2/models/NAME, chat:https://HOST/v1, recorded:RUN or python:package.module:name, got "
        f"{section.uri!r}; nothing was asked: correct it"
    )


def _open_recorded(section: TeacherSection, folder: str) -> Teacher:
    said = _said_besides(section, {"uri"})
    if said:
        raise PlanError(
            f"a recorded teacher is what it was, and the plan says of it too: {', '.join(said)}; nothing was asked: "
            "leave these keys out"
        )
    return RecordedTeacher(Path(folder))


def _open_hugging_face(section: TeacherSection, name: str, device: str) -> OpenedTeacher:
    said = _said_besides(section, {"uri", "abstentions", "input_shape", "max_batch", *_SERVICE_KEYS})
    if said:
        raise PlanError(
            "a teacher of Hugging Face says itself how images are prepared and what its classes are, and the plan "
            f"says of it too: {', '.join(said)}; nothing was asked: leave these keys out"
        )
    rows = section.max_batch or _MAX_BATCH
    teacher = HuggingFaceTeacher(name, input_shape=section.input_shape, max_batch=rows, device=device)
    return OpenedTeacher(teacher, teacher.parameters)


def _open_server(section: TeacherSection) -> Teacher:
    with needing("http", "a teacher on a server"):
        # Here and not above: the extra is optional.
        from db3kd.teachers.open_inference import OpenInferenceTeacher
        from db3kd.teachers.open_inference.teacher import ServerOptions
    default = ServerOptions()
    rows, service = section.max_batch or default.max_batch, _service(section, default.service)
    options = ServerOptions(section.timeout, section.token_env, rows, service)
    return _prepared(section, OpenInferenceTeacher(section.uri, description=_description(section), options=options))


def _open_chat(section: TeacherSection, url: str) -> Teacher:
    with needing("http", "a teacher on a server"):
        # Likewise.
        from db3kd.plan.chat import check_chat, open_chat
        from db3kd.teachers.chat import ChatOptions
    taken, service = _preparation(section).taken_shape(check_chat(section)), _service(section, ChatOptions().service)
    return _prepared(section, open_chat(section, url, image_shape=taken, service=service))


def _description(section: TeacherSection) -> ModelDescription:
    """What the plan says of a model itself; with a preparation, its shape is that of the images before it."""
    prepared, shape = _is_prepared(section), section.input_shape
    return ModelDescription(
        input_shape=_preparation(section).taken_shape(shape) if prepared and shape is not None else shape,
        bounds=_bounds(section),
        levels=None if prepared else section.levels,
        **section.model_dump(include={"num_classes", "class_names", "output", "layout", "fingerprint"}),
    )


def _open_torch(section: TeacherSection, rest: str, device: str) -> OpenedTeacher:
    architecture, separator, file = rest.rpartition("@")
    module, header = weights.from_file(Path(file))
    if separator and header["architecture"] != architecture:
        raise PlanError(
            f"teacher.uri names {architecture!r}, and {file} holds the weights of {header['architecture']!r}; nothing "
            "was asked: correct it"
        )
    teacher = TorchTeacher(
        module,
        input_shape=weights.input_shape_of(header),
        num_classes=int(header["num_classes"]),
        class_names=section.class_names,
        device=device,
        **_calls(section),
    )
    return OpenedTeacher(_prepared(section, teacher), parameter_count(module))


def _open_python(section: TeacherSection, rest: str, device: str) -> Teacher:
    found = load(rest, "teacher.uri names it; nothing was asked")
    if isinstance(found, Teacher) and not isinstance(found, type):
        allowed = {"uri", "abstentions", *_SERVICE_KEYS}
        if _is_prepared(section):
            allowed |= {*_PREPARATION_KEYS, "input_shape"}
        said = _said_besides(section, allowed)
        if said:
            raise PlanError(
                f"teacher.uri names {rest!r}, a teacher that describes itself in .spec, and the plan says of it too: "
                f"{', '.join(said)}; nothing was asked: leave these keys out, or name a plain callable"
            )
        return _prepared(section, found)
    if isinstance(found, Estimator) and section.input_shape is not None:
        estimator = SklearnTeacher(
            found,
            input_shape=_preparation(section).taken_shape(section.input_shape),
            channels_last=section.layout == "nhwc",
            class_names=section.class_names,
            bounds=_bounds(section),
            max_batch=section.max_batch or _ESTIMATOR_BATCH,
            fingerprint=section.fingerprint,
        )
        return _prepared(section, estimator)
    classes = section.num_classes or len(section.class_names)
    if not callable(found) or section.input_shape is None or not classes:
        raise PlanError(
            f"teacher.uri names {rest!r}: expected a callable or a torch module with teacher.input_shape and "
            "teacher.num_classes or teacher.class_names in the plan, a fitted scikit-learn classifier with "
            f"teacher.input_shape, or an object with a TeacherSpec in .spec; got a {type(found).__name__}, input_shape "
            f"{section.input_shape} and num_classes {section.num_classes}; nothing was asked: add what is missing"
        )
    taken = _preparation(section).taken_shape(section.input_shape)
    if isinstance(found, nn.Module):
        names, calls = section.class_names, _calls(section)
        module = TorchTeacher(found, input_shape=taken, num_classes=classes, class_names=names, device=device, **calls)
        return _prepared(section, module)
    teacher = FunctionTeacher(
        cast("Decide", found),
        input_shape=taken,
        num_classes=section.num_classes,
        class_names=section.class_names,
        fingerprint=section.fingerprint,
        **_calls(section),
    )
    return _prepared(section, teacher)


def _said_besides(section: TeacherSection, allowed: set[str]) -> list[str]:
    return sorted(section.model_dump(exclude_defaults=True).keys() - allowed)


def _is_prepared(section: TeacherSection) -> bool:
    return _preparation(section) != Preparation()


def _preparation(section: TeacherSection) -> Preparation:
    return Preparation(**section.model_dump(include=_PREPARATION_KEYS, exclude_none=True))


def _calls(section: TeacherSection) -> dict[str, Any]:
    """How images go to a network or a function."""
    levels = None if _is_prepared(section) else section.levels
    return {"bounds": _bounds(section), "max_batch": section.max_batch or _MAX_BATCH, "levels": levels}


def _bounds(section: TeacherSection) -> tuple[float, float]:
    """What the teacher itself takes: with a preparation, what comes out of that."""
    return _preparation(section).bounds if _is_prepared(section) else section.bounds


def _service(section: TeacherSection, default: Service) -> Service:
    """How a teacher is asked: what the plan says, and else what suits its kind."""
    return Service(
        in_flight=section.in_flight or default.in_flight,
        rows_per_second=section.rate_limit or default.rows_per_second,
        patience=default.patience if section.patience is None else section.patience,
    )


def _prepared(section: TeacherSection, teacher: Teacher) -> Teacher:
    """Prepare images for a teacher, where the plan says so, or where a file or a server takes bytes."""
    described = isinstance(teacher, OnnxTeacher) or section.uri.startswith("http")
    if described and teacher.spec.bounds == _BYTES and section.scale is None:
        section = section.model_copy(update={"scale": _BYTES[1]})
    # An estimator takes no levels itself.
    rounded = section.levels is not None and isinstance(teacher, SklearnTeacher)
    if not _is_prepared(section) and not rounded:
        return teacher
    channels, *size = teacher.spec.input_shape
    if section.input_shape is not None:
        shape = section.input_shape
    elif section.resize is None:
        shape = (1 if section.gray_to_color else channels, size[0], size[1])
    else:
        raise PlanError(
            "teacher.resize says what size the teacher takes, and not what size the images have; nothing was asked: "
            "give teacher.input_shape, [channels, height, width] of the images"
        )
    return PreparedTeacher(teacher, _preparation(section), image_shape=shape, levels=section.levels)
