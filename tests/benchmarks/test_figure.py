"""The figure of the frontier: what its lines hold, that it can be read on white and on black, what is refused."""

import json
from dataclasses import asdict
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmark_program import Program
from benchmarks.figure import COLORS, figure, points, read
from benchmarks.frontier import FrontierRow
from db3kd.report.pictures import ON_ANY_GROUND

SVG = "{http://www.w3.org/2000/svg}"


def row(method: str, questions: int, accuracy: float | None, *, seed: int = 0, student: str = "small") -> FrontierRow:
    return FrontierRow(method, student, questions, seed, accuracy, None, 1.0)


def written(file: Path, *rows: FrontierRow) -> Path:
    file.write_text(json.dumps([asdict(one) for one in rows]))
    return file


def luminance(color: str) -> float:
    """As WCAG 2 has it."""
    parts = [int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_seeds_become_a_mean_and_a_band_also_where_a_query_was_saved() -> None:
    rows = [row("a", 1000, 0.9), row("a", 996, 0.8, seed=1), row("a", 300, 0.6), row("a", 1000, 0.7, seed=2)]
    found = [asdict(point) for point in points(rows)]
    assert found[0] == pytest.approx({"questions": 300, "mean": 60, "worst": 60, "best": 60})
    assert found[1] == pytest.approx({"questions": 2996 / 3, "mean": 80, "worst": 70, "best": 90})


def test_the_later_file_counts_and_what_has_no_accuracy_is_left_out(tmp_path: Path) -> None:
    before = written(tmp_path / "a.json", row("a", 300, 0.5), row("b", 300, 0.4))
    after = written(tmp_path / "b.json", row("a", 300, 0.6), row("c", 300, None))
    found = {one.method: one.accuracy for one in read([before, after])}
    assert found == {"a": 0.6, "b": 0.4}


def test_a_panel_a_student_and_a_line_a_method(tmp_path: Path, call: Program) -> None:
    rows = [
        row(method, questions, 0.7 + questions / 10_000, seed=seed, student=student)
        for method in ("default", "random")
        for questions in (300, 1000)
        for seed in (0, 1)
        for student in ("small", "large")
    ]
    file, out = written(tmp_path / "all.json", *rows), tmp_path / "all.svg"
    call(figure, file, "--out", out, "--teacher", "91.5", "--least", "60")
    first = out.read_bytes()
    drawn = ElementTree.fromstring(first)
    texts = [text.text for text in drawn.iter(f"{SVG}text")]
    assert [texts.count(name) for name in ("small", "large", "default", "random", "teacher")] == [1] * 5
    assert texts.count("300") == texts.count("1,000") == 2
    used = {color for color in (ON_ANY_GROUND, *COLORS) if color.encode() in first}
    assert used == {ON_ANY_GROUND, *COLORS[:2]}
    call(figure, file, "--out", out, "--teacher", "91.5", "--least", "60")
    assert out.read_bytes() == first
    call(figure, file, "--out", out, "--methods", "random", "--students", "large")
    texts = [text.text for text in ElementTree.fromstring(out.read_bytes()).iter(f"{SVG}text")]
    assert "default" not in texts
    assert "small" not in texts
    assert "random" in texts


def test_it_can_be_read_on_white_and_on_black() -> None:
    for color in (ON_ANY_GROUND, *COLORS):
        on_white, on_black = 1.05 / (luminance(color) + 0.05), (luminance(color) + 0.05) / (luminance("#0d1117") + 0.05)
        assert min(on_white, on_black) > 3.9, color


def test_what_cannot_be_drawn_is_refused(tmp_path: Path, call: Program) -> None:
    out = tmp_path / "out.svg"
    other = tmp_path / "other.json"
    other.write_text('{"title": "a report"}')
    assert "benchmarks.frontier --json wrote" in call(figure, other, "--out", out, expect=2).err
    unlabelled = written(tmp_path / "none.json", row("a", 300, None))
    assert "no accuracy" in call(figure, unlabelled, "--out", out, expect=2).err
    known = written(tmp_path / "known.json", row("a", 300, 0.5))
    assert "nothing of the students" in call(figure, known, "--out", out, "--students", "else", expect=2).err
    assert not out.exists()
