"""`db3kd export`: a student on its way out, as files for other programs."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from db3kd.cli import options
from db3kd.cli.display import print_json, print_pairs, remark
from db3kd.cli.options import content_of
from db3kd.cli.session import reading
from db3kd.errors import RunError
from db3kd.models import weights
from db3kd.pipeline.ask import NAME
from db3kd.pipeline.exporting import Exported, Latency
from db3kd.pipeline.exporting import export as write
from db3kd.pipeline.kept import kept_answers
from db3kd.pipeline.teach import STUDENT
from db3kd.plan import OpenedTeacher, merged, open_images, open_teacher, parse_plan
from db3kd.runs import Keeper, existing

# Asking these costs nobody anything.
_FREE = ("torch:", "onnx:")


def export(
    run: Annotated[Path | None, typer.Argument(help="Directory of a run.", metavar="[DIR]")] = None,
    *,
    weights_file: Annotated[Path | None, typer.Option("--weights", help="Export this network instead.")] = None,
    folder: Annotated[Path | None, typer.Option("--to", help="Where the files go; DIR/export for a run.")] = None,
    held_out: options.HELD_OUT = None,
    settings: options.SET = None,
    time_teacher: Annotated[bool | None, typer.Option(help="Time the teacher too; left out, a file at hand.")] = None,
    as_json: options.JSON = False,
) -> None:
    """Write a student as an ONNX file and as a plain state_dict, checked against torch, with size and speed."""
    if (run is None) == (weights_file is None):
        raise typer.BadParameter("name either a run, or --weights with --to")
    if weights_file is not None and folder is None:
        raise typer.BadParameter("--weights needs --to")
    asked, class_names, file = content_of(None, settings, held_out__source=held_out), tuple[str, ...](), weights_file
    if run is not None:
        with existing(run) as opened:
            keeper = Keeper(opened)
            if not keeper.has(STUDENT):
                raise RunError(f"{run} holds no student yet; nothing was written: go on with `db3kd distill` first")
            asked, file = merged(opened.plan() or {}, asked), run / f"{STUDENT}.safetensors"
            class_names = kept_answers(keeper).images.class_names if keeper.count(NAME) else ()
    assert file is not None, "asked above"
    module, header = weights.from_file(file)
    plan = parse_plan(asked)
    images = None
    if plan.held_out is not None:
        with reading() as place:
            images = open_images(plan.held_out, wanted=weights.input_shape_of(header), place=place, like=plan.images)
    free = plan.teacher is not None and plan.teacher.uri.startswith(_FREE)
    timed = plan.teacher if (free if time_teacher is None else time_teacher) else None
    teacher = None if timed is None else open_teacher(timed)
    exported = write(
        module,
        header,
        folder or (run or Path()) / "export",
        class_names=class_names or (() if images is None else images.class_names),
        held_out=images,
        teacher=None if teacher is None else teacher.teacher,
    )
    _show(exported, teacher, as_json=as_json)


def _show(exported: Exported, teacher: OpenedTeacher | None, *, as_json: bool) -> None:
    parameters = None if teacher is None else teacher.parameters
    if as_json:
        print_json({**asdict(exported), "teacher_parameters": parameters})
        return
    pairs = {path: f"{size:,} bytes" for path, size in exported.files.items()}
    pairs["parameters"] = f"{exported.parameters:,}" + ("" if parameters is None else f", the teacher {parameters:,}")
    pairs["a call on the CPU"] = _latency(exported.latency)
    if exported.teacher_latency is not None:
        pairs["a call to the teacher"] = _latency(exported.teacher_latency)
    if exported.images:
        pairs["same answers as torch"] = f"{exported.same_answers:,} of {exported.images:,} held-out images"
    print_pairs(pairs)
    if not exported.images:
        remark("the ONNX file was not compared with torch: name images with --held-out")


def _latency(latency: Latency) -> str:
    return f"{latency.one:.2f} ms for 1 image, {latency.many:.2f} ms for {latency.rows}"
