"""Commands with odd words for what a user names: never a traceback, and an exit code that the manual has.

FUZZ_EXAMPLES says how many words are tried, each in every place; 1,000 take some minutes.
"""

import os
import sys
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from command_line import SMALL, TEACHER, Caller
from db3kd.cli import main

# Where shapes are checked, their check comes first, and is no word for users.
pytestmark = pytest.mark.skipif(bool(os.environ.get("SHAPES")), reason="SHAPES=1 refuses wrong types by itself")
_EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "2"))
_USED = ("label", *TEACHER, "--images", "{images}", "--run", "{run}", "--budget", "8", *SMALL[2:])
# A word goes where the second brace is.
PLACES = {
    "teacher": ("check-teacher", "{word}"),
    "python": ("check-teacher", "python:{word}?input_shape=1,16,16&num_classes=3"),
    "weights": ("check-teacher", "torch:{word}"),
    "chat": ("check-teacher", "chat:{word}"),
    "track": (*_USED, "--track", "{word}"),
    "student": ("distill", *_USED[1:], "--student", "{word}"),
    "network": ("train", "--data", "{images}", "--run", "{run}", "--architecture", "{word}", "--set", "train.epochs=1"),
    "acquisition": (*_USED, "--set", "acquisition.name={word}"),
    "softening": ("distill", *_USED[1:], "--set", "lesson.softening.name={word}"),
    "search": (*_USED, "--search", "{word}"),
    "pool": (*_USED, "--pool", "{word}"),
    "status": ("status", "{word}"),
    "setting": (*_USED, "--set", "{word}"),
}
WORDS = (
    *("", ":", "::", "..:x", ".t:x", "\0", "a:b:c", "odd:Nothing", "odd:decide", "odd:number", "odd:Missing"),
    *("odd:Raises", "json:loads", "os:", "é:é", "x" * 300),
)


class Nothing:
    """Takes no argument and can do nothing."""


def decide(images: object) -> int:
    return 0


class Raises:
    def __init__(self, **given: object) -> None:
        raise RuntimeError("no")


@pytest.fixture(autouse=True)
def _odd(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("odd")
    vars(module).update(Nothing=Nothing, decide=decide, number=5, Raises=Raises)
    monkeypatch.setitem(sys.modules, "odd", module)
    monkeypatch.setattr(sys, "path", [*sys.path])


def _call(place: str, word: str, images: str, run: Path) -> str:
    """What went wrong: nothing where the command ended as the manual says."""
    arguments = [one.format(word=word, images=images, run=run) for one in PLACES[place]]
    try:
        main(arguments)
    except SystemExit as ended:
        return "" if ended.code in (0, 2, 3, 4) else f"exit {ended.code}"
    except Exception as error:  # noqa: BLE001  # whatever it is
        return repr(error)
    return "it did not end"


@pytest.mark.parametrize("place", PLACES)
def test_no_word_gives_a_traceback(place: str, images: str, log: Path, call: Caller, tmp_path: Path) -> None:
    wrong = {
        word: said for number, word in enumerate(WORDS) if (said := _call(place, word, images, tmp_path / str(number)))
    }
    assert not wrong


@settings(max_examples=_EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(word=st.text(max_size=8) | st.from_regex(r"[a-z.]{0,5}:[a-zA-Z:.]{0,5}", fullmatch=True))
@pytest.mark.slow
def test_no_text_gives_a_traceback(word: str, images: str, log: Path, tmp_path: Path) -> None:
    wrong = {place: said for place in PLACES if (said := _call(place, word, images, tmp_path / str(abs(hash(word)))))}
    assert not wrong
