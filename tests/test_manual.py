"""The reference is made of what the program checks; the run directory and figures are held against what is there."""

import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from reference_pages import commands, plan_keys, report_fields

import db3kd
from command_line import SMALL, TEACHER, Caller
from db3kd.cli.app import COMMANDS
from db3kd.plan import Plan
from db3kd.plan.listing import all_keys
from db3kd.report.schema import Report

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"


def test_every_key_stands_in_the_reference_with_its_section() -> None:
    page = plan_keys()
    assert re.findall(r"^## (\w+)$", page, flags=re.MULTILINE) == list(Plan.model_fields)
    assert {one.key for one in all_keys()} == set(re.findall(r"^\| `([\w.]+)`", page, flags=re.MULTILINE))


def test_every_command_stands_in_the_reference_with_its_options() -> None:
    page = commands()
    assert re.findall(r"^## ([\w-]+)$", page, flags=re.MULTILINE) == list(COMMANDS)
    distill = page.partition("## distill\n")[2].partition("\n## ")[0]
    assert {"`--run`", "`--set`", "`--dry-run`", "`--budget`"} <= set(re.findall(r"`--[a-z-]+`", distill))
    assert "| `--run` | yes |" in distill
    assert "    db3kd status DIR [OPTIONS]" in page
    assert "completion" not in page, "an option of the program, which no command has"


def test_every_option_has_a_help_that_can_be_read_by_itself() -> None:
    for line in re.findall(r"^\| .*`--.*$", commands(), flags=re.MULTILINE):
        assert re.search(r"\| (?!Of |To )[^| ][^|]+\. \|$", line), line


def test_every_key_has_a_meaning_and_a_type_that_can_be_read_by_themselves() -> None:
    for one in all_keys():
        assert re.match(r"(?!of |in which|at which|to )\S", one.help), one
        assert not re.search(r"inf\b|\d [<>]|list of \S* ?(whole )?number\b", one.type), one
    types = {one.key: one.type for one in all_keys()}
    assert types["student.rate"] == "number > 0"
    assert types["teacher.image_quality"] == "whole number >= 1, <= 100"
    assert types["teacher.input_shape"] == "list of 3 whole numbers, each >= 1"


def test_every_field_of_a_report_stands_in_the_reference() -> None:
    page = report_fields()
    first = page.partition("\n## ")[0]
    assert set(re.findall(r"^\| `(\w+)`", first, flags=re.MULTILINE)) == set(Report.model_fields)
    headings = set(re.findall(r"^## (\w+)$", page, flags=re.MULTILINE))
    linked = set(re.findall(r"\[(\w+)\]\(#\w+\)", page))
    assert {"StudentFigures", "AskingFigures", "Trust", "Gain"} <= linked
    assert linked <= headings
    rows = re.findall(r"^\| `\w+` .*$", page, flags=re.MULTILINE)
    assert len(rows) > 100
    for row in rows:
        assert re.search(r"\| [^|]+\. \|$", row), row
        assert not re.search(r"\| (?:of|that|with|over|in) [^|]+ \|$", row), row
    assert "None" not in page


def test_every_public_room_is_in_the_reference() -> None:
    page = (DOCS / "reference/python.md").read_text()
    shown = set(re.findall(r"automodule:: (db3kd\.\w+)", page))
    rooms = {name for name in db3kd.__all__ if importlib.util.find_spec(f"db3kd.{name}") is not None}
    assert {f"db3kd.{name}" for name in rooms - {"distill", "Result", "__version__"}} <= shown


def _shown_names() -> set[str]:
    """The names that the reference of Python shows, each with the module where the page has it."""
    page = (DOCS / "reference/python.md").read_text()
    found = set(re.findall(r"auto(?:class|function):: (db3kd\.\S+)", page))
    for module, members in re.findall(r"automodule:: (\S+)\n +:members:(.*)", page):
        named = [name.strip() for name in members.split(",") if name.strip()]
        room = importlib.import_module(module)
        found |= {f"{module}.{name}" for name in named or getattr(room, "__all__", vars(room))}
    return found


def test_every_name_that_a_page_imports_is_in_the_reference() -> None:
    shown, used = _shown_names(), set[str]()
    for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS.rglob("*.md")):
        text = path.read_text()
        for module, names in re.findall(r"^from (db3kd[\w.]*) import ([\w, ]+)", text, flags=re.MULTILINE):
            used |= {f"{module}.{name.strip()}" for name in names.split(",")}
        used |= set(re.findall(r"\bdb3kd(?:\.[a-z_]+)*\.[A-Z]\w+", text))
    rooms = {f"db3kd.{name}" for name in db3kd.__all__}
    assert len(used) > 15
    assert used <= shown | rooms, used - shown - rooms


def test_every_page_of_the_manual_stands_under_one_heading() -> None:
    index = (DOCS / "index.md").read_text()
    listed: dict[str, str] = {}
    for caption, entries in re.findall(r":caption: (\S+).*?\n\n(.*?)```", index, flags=re.DOTALL):
        for entry in filter(lambda line: "<" not in line, entries.split()):
            for path in DOCS.glob(f"{entry}.md") if not entry.startswith("..") else ():
                assert listed.setdefault(str(path.relative_to(DOCS)), caption) == caption, path
    assert set(listed) == {str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md")} - {"index.md"}
    assert {listed[page] for page in ("images.md", "students.md", "how-to/hugging-face-and-timm.md")} == {"How-to"}


def test_no_page_of_the_manual_loads_anything_from_elsewhere() -> None:
    for path in DOCS.rglob("*.md"):
        assert not re.search(r"!\[[^\]]*\]\(https?:|<(?:script|img|iframe|link)\b", path.read_text()), path
    assert "intersphinx" not in (DOCS / "conf.py").read_text()


def _patterns() -> list[str]:
    """What the page on the run directory says may be there, as patterns of paths."""
    page = (DOCS / "reference/run-directory.md").read_text()
    found = []
    for cell in re.findall(r"^\| ([^|]*`[^|]*) \|", page, flags=re.MULTILINE):
        for name in re.findall(r"`([^`]+)`", cell):
            pattern = (
                re.escape(name).replace(r"\*", ".*").replace("00000", r"\d{5}").replace(r"choosers\-3", r"choosers-\d+")
            )
            found.append(f"{pattern}.*" if name.endswith("/") else f"(?:.*/)?{pattern}" if "*" in name else pattern)
    return [*found, r"ledger\.sqlite-(?:wal|shm)"]


def test_every_file_of_a_run_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGGED_ROWS", str(tmp_path / "rows"))
    call, run = Caller(capsys), tmp_path / "run"
    pixels = np.random.default_rng(0).integers(0, 256, (90, 16, 16), dtype=np.uint8)
    labels = np.arange(90) % 4
    np.savez(
        tmp_path / "some.npz", images=pixels[:60], labels=labels[:60], images_test=pixels[60:], labels_test=labels[60:]
    )
    images = ("--images", f"npz:{tmp_path}/some.npz", "--held-out", f"npz:{tmp_path}/some.npz")
    call("distill", *TEACHER, *images, "--budget", 20, *SMALL, "--run", run)
    there = [str(path.relative_to(run)) for path in run.rglob("*") if path.is_file()]
    patterns = _patterns()
    assert [name for name in there if not any(re.fullmatch(pattern, name) for pattern in patterns)] == []
    assert {"plan.toml", "ledger.sqlite", "stages.json", "report.json", "student.safetensors"} <= set(there)


_DECIMAL = r"(?<![\w.,])\d{1,3}\.\d{1,2}(?![\d.])"
# Pages of methods are full of settings: only what is written as a share is a figure there.
_SHARE = rf"{_DECIMAL}(?=%)"
_QUOTED = re.compile(r"records/(\d{4}-[0-9a-z-]+)")


def _sections() -> Iterator[tuple[str, str, list[str]]]:
    """The parts of README and manual that tell measured figures: their names, texts and figures."""
    for path in (ROOT / "README.md", *sorted(DOCS.rglob("*.md"))):
        pattern = _SHARE if path.parent.name in ("methods", "teachers") or path.parent == DOCS else _DECIMAL
        for text in re.split(r"^#+ ", re.sub(r"```.*?```", "", path.read_text(), flags=re.S), flags=re.M):
            plain = re.sub(r"`[^`]*`|Python \d+\.\d+", "", text)
            figures = re.findall(pattern if _QUOTED.search(text) else _SHARE, plain)
            if figures:
                yield f"{path.relative_to(ROOT)}: {text.partition(chr(10))[0]}", text, figures


FIGURES = {place: (text, figures) for place, text, figures in _sections()}


def test_figures_are_quoted() -> None:
    assert len(FIGURES) >= 15


@pytest.mark.parametrize("place", FIGURES)
def test_every_figure_of_the_manual_stands_in_a_record_that_its_section_links(place: str) -> None:
    text, figures = FIGURES[place]
    records = [(ROOT / "records" / name / "README.md").read_text() for name in _QUOTED.findall(text)]
    known = [number for record in records for number in re.findall(r"\d+\.\d+", record)]
    for figure in figures:
        digits = len(figure.partition(".")[2])
        assert any(f"{float(number):.{digits}f}" == figure for number in known), figure
