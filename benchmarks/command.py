"""What the four programs share: how they end, what they refuse beforehand, how they show and write their figures.

The only module here that knows `db3kd.cli` and `db3kd.plan`, and the only one that prints.
"""

import io
import json
import logging
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt
import typer
from rich.console import Console
from rich.table import Table

from db3kd import progress
from db3kd.cli.display import print_pairs as print_figures
from db3kd.cli.exits import run_to_exit
from db3kd.errors import InputError
from db3kd.plan.teacher_keys import TeacherSection
from db3kd.plan.teachers import open_teacher
from db3kd.report.tables import UNKNOWN, percent
from db3kd.runs.files import write_atomically
from db3kd.teachers import Teacher

__all__ = [
    "UNKNOWN",
    "check_file",
    "json_of",
    "listed",
    "percent",
    "print_figures",
    "print_table",
    "remark",
    "run",
    "showing",
    "teacher_of",
    "weights_of",
    "write",
    "write_arrays",
]

_WIDTH_ELSEWHERE = 140


def run(command: Callable[..., None], name: str, arguments: Sequence[str] | None = None) -> NoReturn:
    """Run a program to its end, with the exit codes of `db3kd`.

    Args:
        command: its options and what it does, as typer reads them.
        name: of the module.
        arguments: of the command line; None for those of the process.

    Raises:
        SystemExit: always.
    """
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(command)
    # Hear what a teacher's adapter assumes of it.
    logging.basicConfig(format="benchmarks: %(message)s")
    logging.getLogger("db3kd.teachers").setLevel(logging.INFO)
    asked = list(sys.argv[1:] if arguments is None else arguments)
    program = f"python -m benchmarks.{name}"
    sys.exit(run_to_exit(lambda: app(asked, prog_name=program), debug=bool(os.environ.get("DB3KD_DEBUG"))))


def check_file(file: Path | None) -> None:
    """Refuse a file that cannot be written: now, and not after minutes of measuring."""
    if file is not None and not file.absolute().parent.is_dir():
        raise InputError(f"{file} cannot be written: there is no folder {file.parent}; nothing was measured: make it")


def weights_of(uri: str) -> Path:
    """Find the file of weights of a teacher that must be a network of ours."""
    if not uri.startswith("torch:"):
        raise InputError(
            f"this measurement needs the network itself, torch:FILE or torch:ARCHITECTURE@FILE, got {uri!r}; nothing "
            "was measured"
        )
    return Path(uri.removeprefix("torch:").rpartition("@")[2])


def teacher_of(uri: str, *, device: str = "cpu", **keys: object) -> Teacher:
    """Open the teacher that a URI names, with other keys of a plan's section `teacher`."""
    return open_teacher(TeacherSection.model_validate({"uri": uri, **keys}), device=device).teacher


def listed(text: str) -> list[str]:
    """Take a list such as "0,1,2" apart."""
    return [entry.strip() for entry in text.split(",") if entry.strip()]


def json_of(figures: object) -> bytes:
    """Turn figures into the bytes of their file; none of them may be NaN."""
    return (json.dumps(figures, indent=2, allow_nan=False) + "\n").encode()


def write(file: Path | None, figures: object) -> None:
    """Write figures as JSON, where a file is wanted."""
    if file is not None:
        write_atomically(file, json_of(figures))


def write_arrays(file: Path, **arrays: npt.NDArray[Any]) -> None:
    """Write an archive as `--images npz:FILE` reads it."""
    packed = io.BytesIO()
    np.savez_compressed(packed, **arrays)  # type: ignore[arg-type]  # numpy's own keyword is a bool
    write_atomically(file, packed.getvalue())


def write_divided(file: Path, arrays: Mapping[str, npt.NDArray[Any]], called: str) -> None:
    """Write a pool with what is held out, and print how many images of each class are where."""
    write_arrays(file, **arrays)
    counts = [np.bincount(arrays[name]) for name in ("labels", "labels_test")]
    shown = {name: f"{pool:,} and {test:,}" for name, pool, test in zip(arrays["class_names"], *counts, strict=True)}
    print_figures(
        {called: "in the pool, held out", **shown, "together": f"{counts[0].sum():,} and {counts[1].sum():,}"}
    )


def remark(text: str) -> None:
    """Say on stderr what the user should know."""
    print(f"benchmarks: {text}", file=sys.stderr)


def showing() -> AbstractContextManager[progress.Stages]:
    """Show how far a measurement is: a bar on a terminal, plain lines elsewhere."""
    return progress.showing(remark)


def print_table(title: str, rows: Sequence[Mapping[str, str]], *, names: int = 1) -> None:
    """Print rows, each a text for every column, on stdout; the first columns hold names and the others figures."""
    shown = Table(title=title, title_justify="left")
    for number, column in enumerate(rows[0] if rows else ()):
        shown.add_column(column, justify="left" if number < names else "right")
    for row in rows:
        shown.add_row(*row.values())
    # Elsewhere than on a terminal rich would cut at 80 columns.
    Console(width=None if sys.stdout.isatty() else _WIDTH_ELSEWHERE, markup=False, highlight=False).print(shown)
