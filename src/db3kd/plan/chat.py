"""From the section `teacher` to a vision model behind a prompt."""

from db3kd.errors import PlanError
from db3kd.plan.teacher_keys import TeacherSection
from db3kd.teachers.chat import ChatOptions, ChatTeacher, Prompt
from db3kd.teachers.chat.picture import Picture
from db3kd.teachers.protocol import Service

# An image file has pixels from 0 to 255, and a request one image: of these there is nothing to say.
_NONSENSE = {
    "abstentions",
    "bounds",
    "deviation",
    "layout",
    "levels",
    "max_batch",
    "mean",
    "num_classes",
    "output",
    "scale",
}


def check_chat(section: TeacherSection) -> tuple[int, int, int]:
    """Name what a vision model needs and is not said, and what is said and is none of its keys; give the shape."""
    wanted = ("model", "class_names", "input_shape")
    missing = [f"teacher.{key}" for key in wanted if not getattr(section, key)]
    faults = [f"it needs {', '.join(missing)}"] * bool(missing)
    said = sorted(section.model_dump(exclude_defaults=True).keys() & _NONSENSE)
    faults += [f"it has no {', '.join(said)}"] * bool(said)
    if faults or section.input_shape is None or section.model is None:
        raise PlanError(
            f"a vision model is named chat:https://HOST/v1?model=NAME with its class_names, and with input_shape, "
            f"[channels, height, width] of the images: {'; '.join(faults)}; nothing was asked: correct it"
        )
    return section.input_shape


def open_chat(section: TeacherSection, url: str, *, image_shape: tuple[int, int, int], service: Service) -> ChatTeacher:
    """Open a vision model for images of a shape, which they have after their preparation."""
    assert section.model is not None, "it was checked"
    default = ChatOptions()
    options = ChatOptions(
        picture=Picture(section.image_format, section.image_quality, section.image_detail),
        temperature=section.temperature,
        max_tokens=section.max_tokens,
        request=section.request,
        fingerprint=section.fingerprint,
        timeout=section.timeout if "timeout" in section.model_fields_set else default.timeout,
        token_env=section.token_env,
        service=service,
    )
    prompt = Prompt(section.class_names, section.class_descriptions, section.prompt, section.structured)
    return ChatTeacher(url, section.model, prompt, image_shape=image_shape, options=options)
