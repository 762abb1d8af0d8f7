"""What a vision model answered: a class of the list, or none. Nothing is guessed from prose.

A name counts where it is the whole answer, but for case, spaces and the punctuation around it, or where it stands in
JSON, {"class": NAME}. All else is no class.
"""

import re
import unicodedata
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from db3kd.errors import InvalidDecision
from db3kd.ledger import Bill
from db3kd.teachers.chat.prompt import KEY, normalised

_FENCE = re.compile(r"\A```\w*\s*(.*?)\s*```\Z", re.DOTALL)
_MOST_TOKENS = 2**40
_FILTERED = "content_filter"
Kind = Literal["decided", "off list", "refused"]


@dataclass(frozen=True)
class Reply:
    """What an answer says: the number of a class, or why there is none; `text` is what was read."""

    kind: Kind
    decision: int | None = None
    text: str = ""


class Names:
    """The names of the classes, as they are looked for in answers."""

    def __init__(self, class_names: tuple[str, ...]) -> None:
        self._whole = {normalised(name): number for number, name in enumerate(class_names)}
        # Of names that differ in punctuation alone, such as C and C++, only the whole one counts.
        bare = [_bare(name) for name in self._whole]
        self._bare = {name: number for number, name in enumerate(bare) if name and bare.count(name) == 1}

    def find(self, text: str) -> int | None:
        """Give the number of the class that a text names; None where it names none, or says more than that."""
        whole = normalised(text)
        return self._whole.get(whole, self._bare.get(_bare(whole)))


def read_answer(answer: dict[str, Any], names: Names) -> Reply:
    """Read the class out of a chat completion, or raise an InvalidDecision where it is none."""
    choices = answer.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(choice, dict) or not isinstance(message, dict):
        raise _invalid("a chat completion with a message", answer)
    text = _text_of(message.get("content"))
    if text is None:
        raise _invalid("a message of text", message)
    if message.get("refusal") or choice.get("finish_reason") == _FILTERED:
        return Reply("refused", text=str(message.get("refusal") or text))
    decision = names.find(text)
    if decision is None:
        named = _in_json(text)
        decision = None if named is None else names.find(named)
    return Reply("off list", text=text) if decision is None else Reply("decided", decision, text)


def read_bill(answer: dict[str, Any], kind: Kind) -> Bill:
    """Read what an answer is billed; an answer without a proper count is counted as such."""
    usage = answer.get("usage")
    counts = [usage.get(key) for key in ("prompt_tokens", "completion_tokens")] if isinstance(usage, dict) else []
    known = [count for count in counts if type(count) is int and 0 <= count < _MOST_TOKENS]
    into, out = known if len(known) == 2 else (0, 0)
    return Bill(1, int(len(known) != 2), into, out, int(kind == "off list"), int(kind == "refused"))


def _text_of(content: object) -> str | None:
    """The text of a message, which may come in parts; None where it is no text."""
    if content is None:
        return ""
    if isinstance(content, list):
        parts = [part.get("text", "") if isinstance(part, dict) else part for part in content]
        content = "".join(parts) if all(isinstance(part, str) for part in parts) else None
    return content if isinstance(content, str) else None


def _in_json(text: str) -> str | None:
    """The name in {"class": NAME}, which may stand in a fence; None where there is none."""
    fenced = _FENCE.match(text.strip())
    try:
        found = orjson.loads(fenced.group(1) if fenced else text)
    except orjson.JSONDecodeError:
        return None
    named = found.get(KEY) if isinstance(found, dict) else None
    # A name such as 7 may come as a number.
    return str(named) if type(named) in (str, int) else None


def _bare(name: str) -> str:
    """A name without the punctuation, signs and spaces around it."""
    kept = [place for place, letter in enumerate(name) if unicodedata.category(letter)[0] not in "PSZ"]
    return name[kept[0] : kept[-1] + 1] if kept else ""


def _invalid(expected: str, came: object) -> InvalidDecision:
    shown = " ".join(str(came).split())[:200]
    return InvalidDecision(
        f"expected {expected} from the server, got {shown}; the answer was dropped and stays charged: see to the "
        "server's URL and run again to go on"
    )
