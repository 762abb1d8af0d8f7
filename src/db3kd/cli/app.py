"""The program `db3kd`: its commands, gathered. The module of a command is imported when the command is called."""

import importlib
import logging
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from db3kd import __version__
from db3kd.cli.display import telling_assumptions
from db3kd.cli.exits import run_to_exit

COMMANDS: Mapping[str, tuple[str, str]] = {
    "distill": ("stories:distill", "Do the whole job: questions, students, report. Run it again to go on."),
    "label": ("stories:label", "The part of it that spends: answers, and distances where a search is named."),
    "synthesize": ("stories:synthesize", "Make images where there are none; the teacher is asked about them."),
    "train": ("training:train", "Train a teacher, or a baseline student, on true labels."),
    "status": ("status:status", "Tell what of a run is done, spent and left; also while it is being written."),
    "evaluate": ("evaluation:evaluate", "Measure the students of a run, or one network, on held-out images."),
    "report": ("evaluation:report", "Print the tables of a run's report and make its page again."),
    "export": ("export:export", "Write a student as an ONNX file and as a plain state_dict."),
    "plan": ("keys:plan", "List every key of a plan, with its type, range, default and meaning."),
    "check-teacher": ("checkup:check_teacher", "Look at a teacher before money is spent on it."),
    "serve": ("service:serve", "Serve any teacher by the Open Inference Protocol v2; it answers with classes alone."),
    "demo": ("demo:demo", "Do the main job on 5,000 real digits in minutes, and print one table."),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program and end the process with its exit code."""
    # A teacher or a network of the user's own lies beside the plan more often than it is installed.
    if str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))
    asked = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in asked or bool(os.environ.get("DB3KD_DEBUG"))
    if debug:
        logging.basicConfig(level=logging.DEBUG)
        logging.getLogger("matplotlib").setLevel(logging.WARNING)
    app = _gather(next((word for word in asked if not word.startswith("-")), ""))
    with nullcontext() if debug else telling_assumptions():
        code = run_to_exit(lambda: app(asked, prog_name="db3kd"), debug=debug)
    sys.exit(code)


def _gather(called: str) -> typer.Typer:
    """Make the program with the real command that is called; the others are there by name and help."""
    app = typer.Typer(
        help="Distil a small classifier from a teacher that tells nothing but its decision, and count every query.",
        epilog="Exit codes: 0 done, 2 bad input, 3 the budget does not reach, 4 the teacher failed, 130 interrupted.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
    )
    app.callback()(_options)
    for name, (place, told) in COMMANDS.items():
        module, _, function = place.partition(":")
        command: Callable[..., None] = _other
        if name == called:
            command = getattr(importlib.import_module(f"db3kd.cli.{module}"), function)
        app.command(name, help=None if name == called else told)(command)
    return app


def _other() -> None:
    raise AssertionError("the command that is called is the real one")


def _print_version(asked: bool) -> bool:
    if asked:
        print(__version__)
        raise typer.Exit
    return asked


def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", is_eager=True, callback=_print_version)
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Log all and show tracebacks; so does DB3KD_DEBUG=1.")] = False,
) -> None:
    # `main` looks for --debug itself: an error passes it after typer is done.
    pass
