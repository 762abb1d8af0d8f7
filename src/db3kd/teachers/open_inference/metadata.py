"""What a server says of itself and of a model, and what has to be assumed where it says nothing."""

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson

from db3kd.errors import PlanError
from db3kd.teachers.layout import ImageInput, ModelDescription, read_input, static_shape
from db3kd.teachers.open_inference.messages import FLOATS, INTEGERS, KINDS, Wanted

# Of servers that take any name, MLServer's for one.
_ANY_NAME = "images"


@dataclass(frozen=True)
class ServedModel:
    """A model on a server: what it takes and gives, and a digest of what it says of itself."""

    taken: ImageInput
    wanted: Wanted
    num_classes: int | None
    max_rows: int | None
    binary: bool
    digest: str
    class_names: tuple[str, ...] = ()
    abstains: bool = False
    # Whether the answer is, or may be, text: of an output that the server does not describe, nobody knows.
    gives_text: bool = False

    def describe(self) -> tuple[str, ...]:
        """Say what is asked and how."""
        how = "bytes" if self.binary else "JSON"
        answer = "the best class alone" if self.wanted.classification else "the class, or scores to take it from"
        return (f"images go as {how}", f"the output {self.wanted.output or '(the only one)'} is asked for {answer}")


def read_model(
    server: dict[str, Any], model: dict[str, Any], description: ModelDescription, *, origin: str
) -> ServedModel:
    """Understand what /v2 and /v2/models/NAME answer, with what the user says; `origin` is the URL, for errors."""
    extensions = [str(name) for name in server.get("extensions") or []]
    taken = _read_input(_tensors(model, "inputs"), description, origin)
    outputs = {str(one.get("name")): one for one in _tensors(model, "outputs")}
    name = _choose_output(outputs, description.output, origin)
    known = outputs.get(name or "", {})
    scores = known.get("datatype") in FLOATS
    shape = static_shape(known.get("shape") or ())
    # Where the class itself is given, another output may hold its scores, and so show how many classes there are.
    others = [static_shape(one.get("shape") or ()) for one in outputs.values() if one.get("datatype") in FLOATS]
    counts = [sides[1] for sides in ([shape] if scores else others) if len(sides) > 1 and sides[1] not in (None, 1)]
    # `db3kd serve` says there what the protocol has no place for.
    parameters = model.get("parameters")
    stated = parameters if isinstance(parameters, dict) else {}
    return ServedModel(
        taken=taken,
        wanted=Wanted(name, classification=scores and "classification" in extensions),
        num_classes=_whole(stated.get("num_classes"), least=2) or (counts[0] if counts else None),
        max_rows=_whole(stated.get("max_rows"), least=1),
        binary="binary_tensor_data" in extensions,
        digest=hashlib.sha256(orjson.dumps(model, option=orjson.OPT_SORT_KEYS)).hexdigest(),
        class_names=_lines(stated.get("class_names")),
        abstains=stated.get("abstains") is True,
        gives_text=known.get("datatype") in (None, "BYTES"),
    )


def _whole(value: object, *, least: int) -> int | None:
    return value if type(value) is int and value >= least else None


def _lines(value: object) -> tuple[str, ...]:
    return tuple(value) if isinstance(value, list) and all(isinstance(one, str) for one in value) else ()


def _tensors(model: dict[str, Any], key: str) -> list[dict[str, Any]]:
    found = model.get(key)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _read_input(inputs: list[dict[str, Any]], description: ModelDescription, origin: str) -> ImageInput:
    if not inputs:
        if description.input_shape is None:
            raise PlanError(
                f"{origin} does not say what it takes; nothing was asked: give teacher.input_shape, and teacher.layout "
                "if it is not nchw"
            )
        return ImageInput(_ANY_NAME, np.float32, description.layout or "nchw", description.input_shape)
    said = [(str(one.get("name")), str(one.get("datatype")), one.get("shape") or ()) for one in inputs]
    return read_input(said, KINDS, description, origin=origin)


def _choose_output(outputs: dict[str, dict[str, Any]], wanted: str | None, origin: str) -> str | None:
    if wanted is not None or not outputs:
        return wanted
    classes = [name for name, one in outputs.items() if one.get("datatype") in INTEGERS]
    chosen = classes or list(outputs)
    if len(chosen) != 1:
        raise PlanError(
            f"{origin} has the outputs {', '.join(outputs)}; nothing was asked: name the one that holds the class or "
            "its scores in teacher.output"
        )
    return chosen[0]
