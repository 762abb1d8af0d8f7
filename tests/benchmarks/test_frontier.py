"""Accuracy against questions: each method asks what it says, every query is counted, and nothing is measured twice."""

from dataclasses import replace
from pathlib import Path

import pytest

from benchmark_program import Program
from benchmarks.extraction import RIVALS
from benchmarks.frontier import METHODS, frontier, measure_frontier
from db3kd.context import Context
from known_teachers import Counting
from made_runs import NETWORK, Small, images, make_small, untouched


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    make_small(monkeypatch)


@pytest.mark.parametrize("method", METHODS)
def test_each_method_asks_within_its_budget_and_goes_on_without_asking(method: str, tmp_path: Path) -> None:
    pool, held_out = images(40, labelled=True), images(9, seed=4, labelled=True)
    teacher = Counting(Small())
    asked = (pool, held_out, [NETWORK])
    rows = list(measure_frontier(tmp_path, teacher, *asked, method=method, questions=20, context=Context(seed=1)))
    again = list(
        measure_frontier(tmp_path, untouched(Small()), *asked, method=method, questions=20, context=Context(seed=1))
    )
    assert [(row.method, row.student, row.seed) for row in rows] == [(method, NETWORK, 1)]
    assert 0 < rows[0].questions <= 20
    assert teacher.rows == (0 if method == "true-labels" else rows[0].questions) + len(held_out)
    assert replace(again[0], seconds=0.0) == replace(rows[0], seconds=0.0)
    assert rows[0].accuracy is not None


@pytest.mark.slow
@pytest.mark.usefixtures("played_art")
def test_a_rival_asks_for_each_student_and_goes_on_without_asking(tmp_path: Path) -> None:
    pool, held_out = images(40, labelled=True), images(9, seed=4, labelled=True)
    teacher, asked = Counting(Small()), (pool, held_out, [NETWORK, "made_networks:one_layer"])
    rows = list(measure_frontier(tmp_path, teacher, *asked, method=RIVALS[0], questions=20, context=Context(seed=1)))
    assert [(row.method, row.student, row.questions, row.seed) for row in rows] == [
        (RIVALS[0], student, 20, 1) for student in asked[2]
    ]
    assert teacher.rows == 2 * (20 + len(held_out))
    again = list(
        measure_frontier(tmp_path, untouched(Small()), *asked, method=RIVALS[0], questions=20, context=Context(seed=1))
    )
    assert [replace(row, seconds=0.0) for row in again] == [replace(row, seconds=0.0) for row in rows]


def test_what_is_no_method_is_refused(call: Program, tmp_path: Path) -> None:
    given = ("--teacher", "python:known_teachers:Sectors", "--images", "mnist-5k", "--run", tmp_path / "run")
    assert "methods of default" in call(frontier, *given, "--methods", "best", expect=2).err
    assert "expected numbers" in call(frontier, *given, "--questions", "many", expect=2).err
    assert not (tmp_path / "run").exists()
