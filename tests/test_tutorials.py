"""The tutorials are run from top to bottom as a reader would: Python, commands, and what the page says is printed."""

import contextlib
import importlib
import io
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from command_line import Caller

TUTORIALS = {
    path.stem: path.read_text() for path in sorted((Path(__file__).parents[1] / "docs/tutorials").glob("*.md"))
}
# A block of Python, what it prints, or a command.
_BLOCK = re.compile(
    r"```python\n(?P<python>.*?)```|```text\n(?P<printed>.*?)```|^ {4}db3kd (?P<command>[^\n]*)$", re.S | re.M
)
_NAMED = re.compile(r"# (\w+)\.py\n")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
# Figures in per cent move with the CPU; a count of questions does not.
_POINTS = 15.0


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A folder of the reader's own, whose files can be imported."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


def _same(printed: str, shown: str) -> bool:
    """Whether words and counts are those of the page, and shares near its own."""
    if _NUMBER.sub("#", printed) != _NUMBER.sub("#", shown):
        return False
    percents = [match.end() < len(shown) and shown[match.end()] == "%" for match in _NUMBER.finditer(shown)]
    both = zip(_NUMBER.findall(printed), _NUMBER.findall(shown), percents, strict=True)
    return all(abs(float(one) - float(other)) <= _POINTS * percent for one, other, percent in both)


def test_figures_are_compared_in_words_counts_and_shares() -> None:
    assert _same("20 images: 91%", "20 images: 90%")
    assert not _same("21 images: 90%", "20 images: 90%")
    assert not _same("20 images: 70%", "20 images: 90%")
    assert not _same("20 pictures: 90%", "20 images: 90%")


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", TUTORIALS)
def test_a_tutorial_runs_and_prints_what_it_shows(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    call, names, printed = Caller(capsys), dict[str, object](), io.StringIO()
    blocks = list(_BLOCK.finditer(TUTORIALS[name]))
    assert any(block["python"] for block in blocks)
    for block in blocks:
        if block["command"]:
            call(*shlex.split(block["command"]))
        elif block["printed"]:
            assert _same(printed.getvalue(), block["printed"]), printed.getvalue()
        elif file := _NAMED.match(block["python"]):
            Path(f"{file[1]}.py").write_text(block["python"])
            importlib.invalidate_caches()
        else:
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                exec(compile(block["python"], f"{name}.md", "exec"), names)
