"""The command line: arguments in, figures and exit codes out; the only place that prints.

`app` gathers the commands, a module for each theme, and imports the one that is called: `db3kd --help` needs no torch.
"""

from db3kd.cli.app import main

__all__ = ["main"]
