"""The command line: arguments in, figures and exit codes out; the only place that prints.

`app` gathers the commands, `exits` says how they end, `display` shows what they tell. What they do lives below:
importing this package imports no torch, so that `db3kd --help` is there at once.
"""

from db3kd.cli.app import main

__all__ = ["main"]
