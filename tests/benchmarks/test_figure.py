"""The figure of the frontier: what its lines hold, that it can be read on white and on black, what is refused."""

import json
import re
from dataclasses import asdict
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmark_program import Program
from benchmarks.figure import COLORS, LABELS, figure, points, read
from benchmarks.frontier import FrontierRow
from db3kd.report.colors import DARK, LIGHT, MUTED, contrast

SVG = "{http://www.w3.org/2000/svg}"


def row(method: str, questions: int, accuracy: float | None, *, seed: int = 0, student: str = "small") -> FrontierRow:
    return FrontierRow(method, student, questions, seed, accuracy, None, 1.0)


def written(file: Path, *rows: FrontierRow) -> Path:
    file.write_text(json.dumps([asdict(one) for one in rows]))
    return file


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
    named = ("students: small", "students: large", LABELS["default"], LABELS["random"], "the teacher")
    assert [texts.count(name) for name in named] == [1] * 5
    assert texts.count("300") == texts.count("1,000") == 2
    used = set(re.findall(r"#[0-9a-f]{6}\b", first.decode()))
    assert used == {MUTED, *COLORS[:2], *(ground[name] for ground in (LIGHT, DARK) for name in ("paper", "ink"))}
    call(figure, file, "--out", out, "--teacher", "91.5", "--least", "60")
    assert out.read_bytes() == first
    call(figure, file, "--out", out, "--methods", "random", "--students", "large")
    texts = [text.text for text in ElementTree.fromstring(out.read_bytes()).iter(f"{SVG}text")]
    assert "students: small" not in texts
    assert LABELS["default"] not in texts
    assert LABELS["random"] in texts


def test_reports_and_runs_without_images_stand_beside_the_frontier(tmp_path: Path) -> None:
    frontier = written(tmp_path / "frontier.json", row("default", 300, 0.9, student="lenet5-half"))
    demo, none = tmp_path / "demo.json", tmp_path / "none.json"
    student = {"name": "mbd", "queries": 9000, "seeds": [0, 1], "accuracy_by_seed": [0.7, 0.8]}
    other = {"name": "true-labels", "queries": 0, "seeds": [], "accuracy_by_seed": []}
    demo.write_text(json.dumps({"title": "Demo: lenet5-half from a LeNet5", "students": [other, student]}))
    asked = {"name": "lenet5-half", "accuracy": 0.6, "agreement": 0.65}
    none.write_text(json.dumps({"method": "active", "calls": 800, "students": [asked], "seconds": 2.0}))
    rows = read([frontier, demo, none])
    assert {one.student for one in rows} == {"lenet5-half"}
    found = [(one.method, one.questions, one.accuracy) for one in rows]
    assert found == [("default", 300, 0.9), ("mbd", 9000, 0.7), ("mbd", 9000, 0.8), ("active", 800, 0.6)]


def test_it_is_read_on_its_light_and_on_its_dark_ground() -> None:
    for ground in (LIGHT, DARK):
        assert contrast(ground["ink"], ground["paper"]) >= 4.5
        assert min(contrast(color, ground["paper"]) for color in (MUTED, *COLORS)) >= 3


def test_wide_axes_have_fewer_ticks(tmp_path: Path, call: Program) -> None:
    rows = [row("a", questions, 0.9) for questions in (60, 100, 300, 111_774, 136_800, 1_350_300)]
    file, out = written(tmp_path / "all.json", *rows), tmp_path / "all.svg"
    call(figure, file, "--out", out)
    texts = {text.text for text in ElementTree.fromstring(out.read_bytes()).iter(f"{SVG}text")}
    assert {"100", "300", "136,800", "1,350,300"} <= texts
    assert not {"60", "111,774"} & texts


def test_what_cannot_be_drawn_is_refused(tmp_path: Path, call: Program) -> None:
    out = tmp_path / "out.svg"
    other = tmp_path / "other.json"
    other.write_text('{"title": "a report", "students": []}')
    assert "benchmarks.frontier --json" in call(figure, other, "--out", out, expect=2).err
    unlabelled = written(tmp_path / "none.json", row("a", 300, None))
    assert "no accuracy" in call(figure, unlabelled, "--out", out, expect=2).err
    known = written(tmp_path / "known.json", row("a", 300, 0.5))
    assert "nothing of the students" in call(figure, known, "--out", out, "--students", "else", expect=2).err
    assert not out.exists()
