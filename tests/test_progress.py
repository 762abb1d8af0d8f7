"""Rates and times left, and the lines that stand for a bar where there is no terminal."""

import io
import logging

import pytest
from rich.console import Console
from rich.progress import Progress, TextColumn

from db3kd.progress import Pace, Stages, showing


def test_a_rate_counts_from_where_a_session_began() -> None:
    now = 0.0
    pace = Pace(clock=lambda: now)
    assert pace.rate is None
    pace.note(1000)
    now = 10.0
    assert pace.rate is None
    pace.note(1050)
    assert pace.rate == pytest.approx(5.0)
    assert pace.left(1100) == pytest.approx(10.0)


def test_a_rate_forgets_what_is_long_ago() -> None:
    now = 0.0
    pace = Pace(clock=lambda: now)
    for second in range(200):
        now = float(second)
        pace.note(second * (1 if second < 100 else 3))
    assert pace.rate == pytest.approx(3.0)


def test_elsewhere_than_on_a_terminal_a_stage_is_a_line() -> None:
    said: list[str] = []
    stages = Stages(None, said.append)
    stages("answers", 0, 10, "images")
    stages.hear_rows(64)
    stages("answers", 5, 10, "images")
    stages("answers", 10, 10, "images")
    (line,) = said
    assert line.startswith("answers: 10 of 10 images, ")
    assert "queries/s" in line


def test_on_a_terminal_a_stage_that_comes_back_has_one_bar() -> None:
    columns = (TextColumn("{task.description}"), TextColumn("{task.fields[text]}"))
    said: list[str] = []
    with Progress(*columns, console=Console(file=io.StringIO(), force_terminal=True)) as bar:
        stages = Stages(bar, said.append)
        for number in range(3):
            stages("answers", 10 * number, 30, "queries")
            stages("answers", 10 * number + 10, 30, "queries")
            stages(f"choosers-{number}/00000", 2, 2, "epochs")
        found = [(task.description, task.completed) for task in bar.tasks]
    assert found == [("answers", 30), *((f"choosers-{number}/00000", 2) for number in range(3))]
    assert said == []


def test_without_a_terminal_lines_go_to_the_log_or_to_whoever_listens(caplog: pytest.LogCaptureFixture) -> None:
    said: list[str] = []
    with caplog.at_level(logging.INFO, "db3kd.progress"):
        for say in (None, said.append):
            with showing(say) as stages:
                stages("student", 3, 3, "epochs")
    assert said == caplog.messages == ["student: 3 of 3 epochs"]
