"""The plan's section `teacher`: its keys, which a URI may carry as options too.

`onnx:model.onnx?scale=255&channel_order=bgr` says the same as the keys `scale` and `channel_order` beside the URI.
Turning the section into a teacher is `teachers`' business.
"""

from collections.abc import Mapping
from typing import Annotated, Literal
from urllib.parse import parse_qsl

from annotated_types import Ge, Gt, Le
from pydantic import Field, JsonValue, model_validator

from db3kd.plan.section import Section

Number = Annotated[float, Field(allow_inf_nan=False)]


class TeacherSection(Section):
    """Who decides.

    Args:
        uri: "torch:FILE" or "torch:ARCHITECTURE@FILE", "onnx:FILE", "hf:DIR_OR_NAME",
            "http(s)://HOST:PORT/v2/models/NAME", "chat:https://HOST/v1" for a vision model behind a prompt, or
            "python:package.module:name" for a callable, a scikit-learn classifier or a teacher; other keys may follow a
            question mark.
        input_shape: [c, h, w] of the images; needed for a callable or a vision model and with `resize`, else read
            from the teacher.
        num_classes: needed for a callable without class_names, else read from the teacher.
        bounds: lowest and highest pixel value that the teacher takes; with a preparation below, 0 and 1.
        max_batch: most images in one call; by default 96, and 256 for a server.
        levels: how many values a pixel may take between the bounds; 256 for a callable that takes 8-bit images.
        fingerprint: version of a callable's or a server's model, so that a run notices another one.
        output: name of the output of an ONNX file or a server that holds the answer, where there are several.
        layout: order of the axes that these take, where the shape does not tell: "nchw", "nhwc" or "flat"; "nhwc" also
            for a scikit-learn classifier that was fitted on rows made of [h, w, c].
        token_env: name of the environment variable that holds a server's bearer token or key, which is stored nowhere;
            by default OPENAI_API_KEY for OpenAI's own server, and none for any other.
        timeout: seconds to wait for a server's answer; 60 for a vision model unless it is said.
        in_flight: most calls at once; by default 2 for a server, 8 for a vision model, 1 for all others.
        rate_limit: most images to send in a second.
        patience: seconds to go on asking a teacher that cannot be reached or refuses; by default 60 for a server.
        model: the server's name of a vision model.
        class_descriptions: what each class means to a vision model, in the order of class_names; an empty text where
            the name says it.
        prompt: what a vision model is asked, with {classes} where names and descriptions go.
        structured: tell the server to answer in JSON with one of the names (response_format).
        image_format: format of the files that a vision model gets.
        image_quality: quality of jpeg and webp files.
        image_detail: how closely the server is to look, where it has such a choice.
        temperature: temperature of a vision model; with 0 its answers repeat best.
        max_tokens: most tokens of an answer of a vision model.
        request: further fields of each request to a vision model, such as { seed = 1 }; they hold over others.
        abstentions: answers that are no class, such as 10 or -1 of a teacher of ten; never a target.
        class_names: what the classes are called, in the order of their numbers. A teacher that answers with text and a
            vision model need them; what is off the list is no class.
        resize: [height, width] that the teacher takes, where the images have others.
        interpolation: how images are resized, "bilinear" or "bicubic".
        crop: [height, width] of the middle that the teacher takes.
        scale: pixels in [0, 1] are multiplied by this before the teacher sees them; 255 where it takes 0 to 255. By
            default 1, or what a teacher of whole numbers needs.
        gray_to_color: images have one channel, and the teacher takes three.
        channel_order: "bgr" where the teacher takes the three channels the other way round.
        mean: subtracted after scaling, one value or one per channel as the teacher sees them.
        deviation: pixels are then divided by it, one value or one per channel.
    """

    uri: str
    input_shape: tuple[Annotated[int, Ge(1)], Annotated[int, Ge(1)], Annotated[int, Ge(1)]] | None = None
    num_classes: Annotated[int, Ge(2)] | None = None
    bounds: tuple[float, float] = (0.0, 1.0)
    max_batch: Annotated[int, Ge(1)] | None = None
    levels: Annotated[int, Ge(2)] | None = None
    fingerprint: str | None = None
    output: str | None = None
    layout: Literal["nchw", "nhwc", "flat"] | None = None
    token_env: str | None = None
    timeout: Annotated[float, Gt(0)] = 30.0
    in_flight: Annotated[int, Ge(1)] | None = None
    rate_limit: Annotated[float, Gt(0)] | None = None
    patience: Annotated[float, Ge(0)] | None = None
    model: str | None = None
    class_descriptions: tuple[str, ...] = ()
    prompt: str | None = None
    structured: bool = False
    image_format: Literal["png", "jpeg", "webp"] = "png"
    image_quality: Annotated[int, Ge(1), Le(100)] = 90
    image_detail: Literal["low", "high", "auto"] | None = None
    temperature: Annotated[float, Ge(0), Field(allow_inf_nan=False)] = 0.0
    max_tokens: Annotated[int, Ge(1)] = 64
    request: dict[str, JsonValue] = Field(default_factory=dict)
    abstentions: tuple[int, ...] = ()
    class_names: tuple[str, ...] = ()
    resize: tuple[Annotated[int, Ge(1)], Annotated[int, Ge(1)]] | None = None
    interpolation: Literal["bilinear", "bicubic"] = "bilinear"
    crop: tuple[Annotated[int, Ge(1)], Annotated[int, Ge(1)]] | None = None
    scale: Number | None = None
    gray_to_color: bool = False
    channel_order: Literal["rgb", "bgr"] = "rgb"
    mean: tuple[Number, ...] = (0.0,)
    deviation: tuple[Number, ...] = (1.0,)

    @model_validator(mode="before")
    @classmethod
    def _take_options(cls, content: object) -> object:
        return taken_apart(content) if isinstance(content, dict) else content


def taken_apart(content: Mapping[str, object]) -> dict[str, object]:
    """Make keys of what follows the URI's question mark."""
    uri, mark, query = str(content.get("uri", "")).partition("?")
    options: dict[str, object] = {}
    for name, text in parse_qsl(query, keep_blank_values=True):
        if name in options or name in content:
            raise ValueError(f"{name} is given twice, in the URI and beside it: leave one out")
        options[name] = text.split(",") if _is_list(name) else text
    return {**content, **options, "uri": uri} if mark else dict(content)


def _is_list(name: str) -> bool:
    field = TeacherSection.model_fields.get(name)
    return field is not None and "tuple" in str(field.annotation)
