"""What a vision model is asked in words: a template, the names of the classes, and what they mean."""

import unicodedata
from typing import Any

from db3kd.arguments import checked_options
from db3kd.errors import PlanError

_PLACE = "{classes}"
_QUESTION = f"Which one of these classes does the image show?\n{_PLACE}\n"
_AS_NAME = "Answer with the name of the class, exactly as it is written here, and with nothing else."
_AS_JSON = 'Answer in JSON, {"class": NAME}, with the name exactly as it is written here, and with nothing else.'
KEY = "class"


@checked_options
class Prompt:
    """The question in words; the class of an answer is the place of its name in the list.

    Args:
        class_names: the names of the classes, in the order of their numbers.
        descriptions: what each class means, in the same order, empty where its name says it; or none at all.
        template: the text, with {classes} where the names and descriptions go, a line each; None for one that asks
            for a name and nothing else.
        structured: whether the server is told to answer in JSON with one of the names (`response_format`).
    """

    class_names: tuple[str, ...]
    descriptions: tuple[str, ...] = ()
    template: str | None = None
    structured: bool = False

    def __post_init__(self) -> None:
        faults = []
        names = [normalised(name) for name in self.class_names]
        alike = sorted({name for name in names if names.count(name) > 1})
        if len(names) < 2 or not all(names):
            faults.append(f"class_names must be two names or more, none of them empty, got {list(self.class_names)}")
        if alike:
            faults.append(f"class_names must differ in more than case and spaces, and these do not: {alike}")
        if self.descriptions and len(self.descriptions) != len(names):
            faults.append(
                f"class_descriptions must be as many as class_names, {len(names)}, or none, got "
                f"{len(self.descriptions)}"
            )
        if self.template is not None and self.template.count(_PLACE) != 1:
            faults.append(f"prompt must hold {_PLACE} once, where the names go, got {self.template!r}")
        if faults:
            raise PlanError(
                "a vision model cannot be asked so: " + "; ".join(faults) + "; nothing was asked: correct it"
            )

    @property
    def text(self) -> str:
        """The words that are sent."""
        template = self.template
        if template is None:
            template = _QUESTION + (_AS_JSON if self.structured else _AS_NAME)
        descriptions = self.descriptions or ("",) * len(self.class_names)
        lines = (
            f"- {name}: {told}" if told else f"- {name}"
            for name, told in zip(self.class_names, descriptions, strict=True)
        )
        return template.replace(_PLACE, "\n".join(lines))

    @property
    def response_format(self) -> dict[str, Any] | None:
        """The schema of an answer, as the protocol takes it; None where the server is not to be told."""
        if not self.structured:
            return None
        names = {"type": "string", "enum": list(self.class_names)}
        schema = {"type": "object", "properties": {KEY: names}, "required": [KEY], "additionalProperties": False}
        return {"type": "json_schema", "json_schema": {"name": "decision", "strict": True, "schema": schema}}


def normalised(text: str) -> str:
    """Bring a name to a form in which case, width of letters and number of spaces do not matter."""
    return " ".join(unicodedata.normalize("NFKC", text).split()).casefold()
