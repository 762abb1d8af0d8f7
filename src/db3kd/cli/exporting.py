"""`db3kd export`: its arguments."""

from pathlib import Path
from typing import Annotated

import typer

from db3kd.cli import options
from db3kd.cli.options import given


def export(
    *,
    run: Annotated[Path | None, typer.Option(help="Export the student of this run.")] = None,
    weights: Annotated[Path | None, typer.Option(help="Export this network instead.")] = None,
    folder: Annotated[Path | None, typer.Option("--to", help="Folder for the files; by default RUN/export.")] = None,
    held_out: Annotated[
        str | None, typer.Option(help="Images to hold the ONNX file against torch on, where the plan names none.")
    ] = None,
    limit: options.LIMIT = None,
    time_teacher: Annotated[
        bool | None,
        typer.Option(
            "--time-teacher/--leave-teacher",
            help="Ask the teacher some 2,000 rows outside the budget, to time it; by default only one in a file.",
        ),
    ] = None,
    as_json: options.JSON = False,
) -> None:
    """Write a student as an ONNX file and as a plain state_dict, with its size and speed beside the teacher's."""
    if (run is None) == (weights is None):
        raise typer.BadParameter("name either --run or --weights")
    if weights is not None and folder is None:
        raise typer.BadParameter("--weights needs --to")
    from db3kd.cli.work.exporting import export_network, export_student

    asked = {} if held_out is None else given(source=held_out, limit=limit)
    if run is not None:
        export_student(run, folder or run / "export", asked, time_it=time_teacher, as_json=as_json)
    if weights is not None and folder is not None:
        export_network(weights, folder, asked, as_json=as_json)
