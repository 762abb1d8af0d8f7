"""Rates and times left, and the lines that stand for a bar where there is no terminal."""

import io

import pytest
from rich.console import Console
from rich.progress import Progress, TextColumn

from db3kd.cli.display import Pace, Stages


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


def test_elsewhere_than_on_a_terminal_a_stage_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    stages = Stages(None)
    stages("label", 0, 10, "images")
    stages.hear_rows(64)
    stages("label", 5, 10, "images")
    stages("label", 10, 10, "images")
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("db3kd: label: 10 of 10 images, ")
    assert "queries/s" in printed.err
    assert len(printed.err.splitlines()) == 1


def test_on_a_terminal_a_stage_that_comes_back_has_one_bar() -> None:
    columns = (TextColumn("{task.description}"), TextColumn("{task.fields[text]}"))
    with Progress(*columns, console=Console(file=io.StringIO(), force_terminal=True)) as bar:
        stages = Stages(bar)
        for number in range(3):
            stages("explore", 10 * number, 30, "queries")
            stages("explore", 10 * number + 10, 30, "queries")
            stages(f"primers of round {number}", 2, 2, "epochs")
        found = [(task.description, task.completed) for task in bar.tasks]
    assert found == [("explore", 30), *((f"primers of round {number}", 2) for number in range(3))]
