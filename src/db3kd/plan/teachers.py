"""From a teacher's URI to the teacher, behind the door that the plan asks for.

Called by `opening` for a whole plan, and by the commands that need a teacher alone.
"""

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from db3kd.errors import InputError, PlanError
from db3kd.models import parameter_count, weights
from db3kd.plan.teacher_keys import TeacherSection
from db3kd.teachers import (
    AbstainingTeacher,
    FunctionTeacher,
    OnnxTeacher,
    Preparation,
    PreparedTeacher,
    RecordedTeacher,
    ServedTeacher,
    Service,
    Teacher,
    TorchTeacher,
)
from db3kd.teachers.function import Decide
from db3kd.teachers.layout import BYTE_BOUNDS, Stated

# What is done at the door; a teacher that describes itself may still need it.
_DOOR_KEYS = {"resize", "scale", "gray_to_color", "channel_order", "mean", "deviation"}
_SERVICE_KEYS = {"in_flight", "rate_limit", "patience"}
_MAX_BATCH = 96
_UNIT = (0.0, 1.0)


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
    """Open the teacher that a URI names.

    Args:
        section: the URI, and what the teacher does not say of itself.
        device: where a torch teacher runs.

    Returns:
        The teacher, which takes images in [0, 1] where the section says how to bring them to it.

    Raises:
        PlanError: the URI leads nowhere, or images cannot be brought to the teacher as the section says.
        ArtifactError: the file of weights is damaged.
    """
    if section.bounds != _UNIT and _has_door(section):
        raise PlanError(
            "teacher.bounds and keys of the teacher's door (scale, mean, deviation, ...) cannot both be given: behind "
            "a door the bounds are 0 and 1; nothing was asked: leave teacher.bounds out"
        )
    opened = _open(section, device)
    teacher = _served(section, opened.teacher)
    if section.abstentions:
        teacher = AbstainingTeacher(teacher, section.abstentions)
    return OpenedTeacher(teacher, opened.parameters)


def _open(section: TeacherSection, device: str) -> OpenedTeacher:
    scheme, _, rest = section.uri.partition(":")
    match scheme:
        case "torch" if rest:
            return _open_torch(section, rest, device)
        case "recorded" if rest:
            return OpenedTeacher(_open_recorded(section, rest), None)
        case "http" | "https" if rest:
            return OpenedTeacher(_open_server(section), None)
        case "onnx" if rest:
            return OpenedTeacher(_open_onnx(section, rest, device), None)
        case "python" if rest.count(":") == 1:
            return OpenedTeacher(_open_python(section, rest), None)
    raise PlanError(
        "teacher.uri must be torch:FILE, torch:ARCHITECTURE@FILE, onnx:FILE, http(s)://HOST:PORT/v2/models/NAME, "
        f"recorded:RUN or python:package.module:name, got {section.uri!r}; nothing was asked: mend it"
    )


def _open_recorded(section: TeacherSection, folder: str) -> Teacher:
    said = sorted(section.model_fields_set - {"uri"})
    if said and section != TeacherSection(uri=section.uri):
        raise PlanError(
            f"a recorded teacher is what it was, and the plan says of it too: {', '.join(said)}; nothing was asked: "
            "leave these keys out"
        )
    return RecordedTeacher(Path(folder) / "answers.sqlite")


def _open_server(section: TeacherSection) -> Teacher:
    try:
        # Here and not above: the extra is optional.
        from db3kd.teachers.open_inference import OpenInferenceTeacher
        from db3kd.teachers.open_inference.teacher import Line
    except ImportError as error:
        raise InputError(
            f"a teacher on a server needs the extra http, and {error.name} is not installed; nothing was asked: "
            "pip install 'db3kd[http]'"
        ) from error
    default = Line()
    line = Line(
        timeout=section.timeout,
        token_env=section.token_env,
        max_batch=section.max_batch or default.max_batch,
        service=_service(section, default.service),
    )
    return _behind_byte_door(section, OpenInferenceTeacher(section.uri, stated=_stated(section), line=line))


def _open_onnx(section: TeacherSection, rest: str, device: str) -> Teacher:
    teacher = OnnxTeacher(rest, stated=_stated(section), max_batch=section.max_batch or _MAX_BATCH, device=device)
    return _behind_byte_door(section, teacher)


def _stated(section: TeacherSection) -> Stated:
    """What the plan says of a model itself; with a door, its shape is that of the images in front of it."""
    door, shape = _has_door(section), section.input_shape
    return Stated(
        input_shape=_preparation(section).taken_shape(shape) if door and shape is not None else shape,
        num_classes=section.num_classes,
        bounds=_bounds(section),
        levels=None if door else section.levels,
        output=section.output,
        layout=section.layout,
        fingerprint=section.fingerprint,
    )


def _open_torch(section: TeacherSection, rest: str, device: str) -> OpenedTeacher:
    architecture, separator, file = rest.rpartition("@")
    module, header = weights.from_file(Path(file))
    if separator and header["architecture"] != architecture:
        raise PlanError(
            f"teacher.uri names {architecture!r}, and {file} holds the weights of {header['architecture']!r}; nothing "
            "was asked: mend it"
        )
    teacher = TorchTeacher(
        module,
        input_shape=weights.input_shape_of(header),
        num_classes=int(header["num_classes"]),
        bounds=_bounds(section),
        max_batch=section.max_batch or _MAX_BATCH,
        levels=None if _has_door(section) else section.levels,
        device=device,
    )
    return OpenedTeacher(_behind_door(section, teacher), parameter_count(module))


def _open_python(section: TeacherSection, rest: str) -> Teacher:
    module_name, name = rest.split(":")
    try:
        found: object = getattr(importlib.import_module(module_name), name)
    except (ImportError, AttributeError) as error:
        raise PlanError(
            f"teacher.uri names {rest!r}, which cannot be imported ({error}); nothing was asked: mend it, or install "
            "what it needs"
        ) from error
    if isinstance(found, Teacher) and not isinstance(found, type):
        allowed = {"uri", "abstentions", *_SERVICE_KEYS, *({*_DOOR_KEYS, "input_shape"} if _has_door(section) else ())}
        # A run keeps its plan with all defaults, so that only what differs from them was said.
        said = sorted(
            name
            for name, field in TeacherSection.model_fields.items()
            if name not in allowed and getattr(section, name) != field.default
        )
        if said:
            raise PlanError(
                f"teacher.uri names {rest!r}, a teacher that describes itself in .spec, and the plan says of it too: "
                f"{', '.join(said)}; nothing was asked: leave these keys out, or name a plain callable"
            )
        return _behind_door(section, found)
    if not callable(found) or section.input_shape is None or section.num_classes is None:
        raise PlanError(
            f"teacher.uri names {rest!r}: expected a callable with teacher.input_shape and teacher.num_classes in the "
            f"plan, or an object with a TeacherSpec in .spec; got a {type(found).__name__}, input_shape "
            f"{section.input_shape} and num_classes {section.num_classes}; nothing was asked: add what is missing"
        )
    teacher = FunctionTeacher(
        cast("Decide", found),
        input_shape=_preparation(section).taken_shape(section.input_shape),
        num_classes=section.num_classes,
        bounds=_bounds(section),
        max_batch=section.max_batch or _MAX_BATCH,
        levels=None if _has_door(section) else section.levels,
        fingerprint=section.fingerprint,
    )
    return _behind_door(section, teacher)


def _has_door(section: TeacherSection) -> bool:
    return _preparation(section) != Preparation()


def _preparation(section: TeacherSection) -> Preparation:
    return Preparation(
        resize=section.resize,
        scale=1.0 if section.scale is None else section.scale,
        gray_to_color=section.gray_to_color,
        channel_order=section.channel_order,
        mean=section.mean,
        deviation=section.deviation,
    )


def _bounds(section: TeacherSection) -> tuple[float, float]:
    """What the teacher itself takes: with a door, what comes out of that."""
    return _preparation(section).bounds if _has_door(section) else section.bounds


def _behind_byte_door(section: TeacherSection, teacher: Teacher) -> Teacher:
    """Put a teacher behind its door, which brings images to bytes where it takes these and nothing else was said."""
    if teacher.spec.bounds == BYTE_BOUNDS and section.scale is None:
        section = section.model_copy(update={"scale": BYTE_BOUNDS[1]})
    return _behind_door(section, teacher)


def _service(section: TeacherSection, default: Service) -> Service:
    """How a teacher is asked: what the plan says, and else what suits its kind."""
    return Service(
        in_flight=section.in_flight or default.in_flight,
        rows_per_second=section.rate_limit or default.rows_per_second,
        patience=default.patience if section.patience is None else section.patience,
    )


def _served(section: TeacherSection, teacher: Teacher) -> Teacher:
    """Have a teacher asked as the plan says."""
    service = _service(section, teacher.spec.service)
    return teacher if service == teacher.spec.service else ServedTeacher(teacher, service)


def _behind_door(section: TeacherSection, teacher: Teacher) -> Teacher:
    """Put a teacher behind its door, if it has one."""
    if not _has_door(section):
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
