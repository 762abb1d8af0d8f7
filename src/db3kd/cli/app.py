"""The program `db3kd`: its commands, gathered.

What a command takes stands in the module of its theme, what it does in `work`, how it ends in `exits`.
"""

import logging
import os
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from db3kd import __version__
from db3kd.cli.benches import bench
from db3kd.cli.checking import check_teacher
from db3kd.cli.display import telling_assumptions
from db3kd.cli.evaluating import evaluate, report
from db3kd.cli.exits import run_to_exit
from db3kd.cli.exporting import export
from db3kd.cli.labelling import distill, label
from db3kd.cli.running import demo, run, status
from db3kd.cli.serving import serve
from db3kd.cli.synthesizing import synthesize
from db3kd.cli.training import train

app = typer.Typer(
    help="Distil a small classifier from a teacher that tells nothing but its decision, and count every query.",
    epilog="Exit codes: 0 done, 2 bad input, 3 budget exhausted, 4 the teacher failed for good, 130 interrupted.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
for command in (
    demo,
    train,
    synthesize,
    label,
    distill,
    evaluate,
    run,
    status,
    report,
    export,
    serve,
    check_teacher,
):
    app.command()(command)
if bench.registered_commands:
    app.add_typer(bench, name="bench")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program and end the process with its exit code.

    Args:
        arguments: of the command line, without the program's name; None for those of the process.

    Raises:
        SystemExit: always.
    """
    # A teacher or a network of the user's own lies beside the plan more often than it is installed.
    if str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))
    asked = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in asked or bool(os.environ.get("DB3KD_DEBUG"))
    if debug:
        logging.basicConfig(level=logging.DEBUG)
        logging.getLogger("matplotlib").setLevel(logging.WARNING)
    with nullcontext() if debug else telling_assumptions():
        code = run_to_exit(lambda: app(asked, prog_name="db3kd"), debug=debug)
    sys.exit(code)


def _print_version(asked: bool) -> bool:
    if asked:
        print(__version__)
        raise typer.Exit
    return asked


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", is_eager=True, callback=_print_version)
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Log all and show tracebacks; so does DB3KD_DEBUG=1.")] = False,
) -> None:
    # `main` looks for --debug itself: an error passes it after typer is done.
    pass
