"""Tables of a report on the terminal.

Which columns a table has is decided by `db3kd.report.tables`. Called by the commands beside this module.
"""

import sys

from rich.console import Console
from rich.table import Table as RichTable

from db3kd.report.tables import Table

_WIDTH_ELSEWHERE = 140


def print_table(table: Table, title: str = "") -> None:
    """Print a table of a report on stdout.

    Args:
        table: columns and rows.
        title: above it.
    """
    shown = RichTable(title=title or None, title_justify="left")
    for column in table.columns:
        shown.add_column(column.title, justify="right" if column.numeric else "left")
    for row in table.rows:
        shown.add_row(*row)
    # Elsewhere than on a terminal rich would cut at 80 columns.
    Console(width=None if sys.stdout.isatty() else _WIDTH_ELSEWHERE, markup=False, highlight=False).print(shown)
