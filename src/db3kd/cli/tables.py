"""Tables of a report on the terminal; which columns they have is decided in `db3kd.report`."""

import sys

from rich.console import Console
from rich.table import Table as RichTable

from db3kd.report.tables import Table

_WIDTH_ELSEWHERE = 140


def print_table(table: Table, title: str = "") -> None:
    """Print a table on stdout, if it has a row."""
    if not table.rows:
        return
    shown = RichTable(title=title or None, title_justify="left")
    for column in table.columns:
        shown.add_column(column.title, justify="right" if column.numeric else "left")
    for row in table.rows:
        shown.add_row(*row)
    # Elsewhere than on a terminal rich would cut at 80 columns.
    Console(width=None if sys.stdout.isatty() else _WIDTH_ELSEWHERE, markup=False, highlight=False).print(shown)
