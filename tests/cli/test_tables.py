"""A table is printed in full on anything that is no terminal, numbers to the right, and not at all without a row."""

import pytest

from db3kd.cli.tables import print_table
from db3kd.report.tables import Column, Table

COLUMNS = (Column("stage", numeric=False), Column("queries"))


def test_numbers_stand_to_the_right_below_the_title(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(Table(COLUMNS, (("answers", "5"), ("[bold]a", "1,200"))), "what is asked")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].strip() == "what is asked"
    assert [line for line in lines if line.startswith("│")] == ["│ answers │       5 │", "│ [bold]a │   1,200 │"]


def test_without_a_row_nothing_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(Table(COLUMNS, ()), "what is asked")
    assert capsys.readouterr().out == ""


def test_long_cells_are_not_cut_at_80_columns(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(Table(COLUMNS, (("x" * 110, "1"),)))
    assert "x" * 110 in capsys.readouterr().out
