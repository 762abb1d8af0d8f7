"""`db3kd export`: a student on its way out, as files for other programs."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
import typer

from db3kd.answers import Answers
from db3kd.cli import options
from db3kd.cli.display import print_json, print_pairs, remark
from db3kd.cli.options import content_of
from db3kd.cli.session import read_images
from db3kd.data import Dataset, ImageOptions
from db3kd.errors import InputError, RunError
from db3kd.models import weights
from db3kd.pipeline.conclude import REPORT, begun_report, read_report
from db3kd.pipeline.exporting import Exported, Wished
from db3kd.pipeline.exporting import export as write
from db3kd.pipeline.kept import kept_answers
from db3kd.pipeline.parity import Examples, FileFigures, Latency
from db3kd.pipeline.rounds import NAME
from db3kd.pipeline.teach import STUDENT
from db3kd.plan import OpenedTeacher, Plan, merged, open_image_options, open_teacher, parse_plan
from db3kd.report.schema import Report
from db3kd.report.tables import percent
from db3kd.runs import Keeper, existing

# Asking these costs nobody anything.
_FREE = ("torch:", "onnx:")


def export(
    run: Annotated[Path | None, typer.Argument(help="Directory of a run.", metavar="[DIR]")] = None,
    *,
    weights_file: Annotated[Path | None, typer.Option("--weights", help="Export this network instead.")] = None,
    folder: Annotated[Path | None, typer.Option("--to", help="Where the files go; DIR/export for a run.")] = None,
    held_out: options.HELD_OUT = None,
    images: options.IMAGES = None,
    settings: options.SET = None,
    pixels: Annotated[
        Literal["uint8", "float"], typer.Option(help="What the ONNX file takes: 0 to 255, or 32-bit in [0, 1].")
    ] = "uint8",
    name_output: Annotated[bool, typer.Option("--name-output", help="Let it give the class and its name too.")] = False,
    int8: Annotated[bool, typer.Option("--int8", help="Write a second ONNX file, with weights of 8 bits.")] = False,
    time_teacher: Annotated[bool | None, typer.Option(help="Time the teacher too; left out, a file at hand.")] = None,
    as_json: options.JSON = False,
) -> None:
    """Write a student as an ONNX file and as a plain state_dict, checked against torch, with size and speed.

    The figures are in export.json as well. A file of 8 bits is made by looking at images that the run has asked about,
    or at --images.
    """
    if (run is None) == (weights_file is None):
        raise typer.BadParameter("name either a run, or --weights with --to")
    if weights_file is not None and folder is None:
        raise typer.BadParameter("--weights needs --to")
    asked = content_of(None, settings, held_out__source=held_out, images__source=images)
    answers, file, report = None, weights_file, None
    if run is not None:
        with existing(run) as opened:
            keeper = Keeper(opened)
            if not keeper.has(STUDENT):
                raise RunError(f"{run} holds no student yet; nothing was written: go on with `db3kd distill` first")
            asked, file = merged(opened.plan() or {}, asked), run / f"{STUDENT}.safetensors"
            answers = kept_answers(keeper) if keeper.count(NAME) else None
            report = begun_report(opened) if opened.get(REPORT) is None else read_report(opened)
    assert file is not None, "asked above"
    module, header = weights.from_file(file)
    plan = parse_plan(asked)
    shape = weights.input_shape_of(header)
    examples = _examples(plan, answers, shape)
    named = () if examples is None else examples.images.class_names
    wished = Wished(
        pixels=pixels,
        class_names=(() if answers is None else answers.images.class_names) or named,
        named=name_output,
        calibrate_on=_seen(plan, None if images is not None else answers, shape) if int8 else None,
        options=_options(plan, report),
    )
    free = plan.teacher is not None and plan.teacher.uri.startswith(_FREE)
    timed = plan.teacher if (free if time_teacher is None else time_teacher) else None
    teacher = None if timed is None else open_teacher(timed)
    exported = write(
        module,
        header,
        folder or (run or Path()) / "export",
        wished,
        examples=examples,
        teacher=None if teacher is None else teacher.teacher,
        report=report,
    )
    _show(exported, teacher, as_json=as_json)


def _options(plan: Plan, report: Report | None) -> ImageOptions:
    """How pictures were brought to what the student takes; a run that Python began says their fit in its report."""
    said: dict[str, Any] = {} if report is None or not report.images else {"fit": report.images[0].fit}
    return replace(open_image_options(plan.images), **said)


def _examples(plan: Plan, answers: Answers | None, shape: tuple[int, int, int]) -> Examples | None:
    """Images to check the files on: held-out ones, or else what the run has asked about."""
    if plan.held_out is not None:
        images = read_images(plan.held_out, shape, like=plan.images)
        return Examples(images, "held-out images", images.labels)
    if answers is None:
        return None
    # Where the teacher abstained, nobody says what is right.
    decisions = torch.where(answers.decided, answers.decisions, -1)
    return Examples(answers.images, "images that were asked about", decisions, "decisions of the teacher")


def _seen(plan: Plan, answers: Answers | None, shape: tuple[int, int, int]) -> Dataset:
    """Images by which 8 bits are chosen."""
    if answers is not None:
        return answers.images
    if plan.images is None:
        raise InputError(
            "8 bits are chosen by looking at images, and none are at hand; nothing was written: name some hundreds of "
            "the kind that the student will see with --images"
        )
    return read_images(plan.images, shape)


def _show(exported: Exported, teacher: OpenedTeacher | None, *, as_json: bool) -> None:
    parameters = None if teacher is None else teacher.parameters
    if as_json:
        print_json({**asdict(exported), "teacher_parameters": parameters})
        return
    pairs = {path: f"{size:,} bytes" for path, size in exported.files.items()}
    pairs["takes"] = exported.takes
    pairs["parameters"] = f"{exported.parameters:,}" + ("" if parameters is None else f", the teacher {parameters:,}")
    pairs["a call on the CPU"] = _latency(exported.onnx.latency)
    if exported.int8 is not None:
        pairs["a call with 8 bits"] = _latency(exported.int8.latency)
    if exported.teacher_latency is not None:
        pairs["a call to the teacher"] = _latency(exported.teacher_latency)
    if exported.images:
        pairs["same answers as torch"] = _same(exported.onnx, exported)
        if exported.int8 is not None:
            pairs["same answers with 8 bits"] = _same(exported.int8, exported)
    if exported.accuracy is not None:
        of_int8 = "" if exported.int8 is None else f", {percent(exported.int8.accuracy)} with 8 bits"
        pairs[f"as the {exported.said_by}"] = f"{percent(exported.onnx.accuracy)}{of_int8}"
    print_pairs(pairs)
    if not exported.images:
        remark("the ONNX file was not compared with torch: name images with --held-out")


def _same(file: FileFigures, exported: Exported) -> str:
    return f"{file.same_answers:,} of {exported.images:,} {exported.kind}"


def _latency(latency: Latency) -> str:
    return f"{latency.one:.2f} ms for 1 image, {latency.many:.2f} ms for {latency.rows}"
