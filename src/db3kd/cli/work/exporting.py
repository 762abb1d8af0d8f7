"""The work of `db3kd export`."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from db3kd.cli.display import print_json, print_pairs, remark
from db3kd.cli.work.kept import existing, kept_sections, kept_transfer
from db3kd.data import Dataset
from db3kd.errors import RunError
from db3kd.models import weights
from db3kd.pipeline.exporting import Exported, Latency, export
from db3kd.pipeline.labelling import TRANSFER
from db3kd.pipeline.telling import STUDENT
from db3kd.plan import parse_sections
from db3kd.plan.opening import open_images
from db3kd.plan.teachers import OpenedTeacher, open_teacher

# Asking these costs nobody anything.
_FREE = ("torch:", "onnx:")


def export_student(
    run_folder: Path, folder: Path, held_out: Mapping[str, object], *, time_it: bool | None, as_json: bool
) -> None:
    """Export the student of a run.

    Args:
        run_folder: of the run.
        folder: where the files go.
        held_out: keys of that section, or none for the run's own.
        time_it: whether the teacher is asked, to time it; None asks one whose file is at hand.
        as_json: print JSON.
    """
    with existing(run_folder) as run:
        kept = run.get(f"{STUDENT}.safetensors")
        if kept is None:
            raise RunError(f"{run_folder} holds no student yet; nothing was written: finish `db3kd distill` first")
        module, header = weights.from_bytes(kept, str(run_folder / f"{STUDENT}.safetensors"))
        # A run without data has no images of its own that would name the classes.
        sections, learned = kept_sections(run), kept_transfer(run).images if run.has(TRANSFER) else None
    images = _held_out(held_out)
    if images is None and sections.held_out is not None:
        images = open_images(sections.held_out)
    named_by = images if learned is None else learned
    named = sections.teacher
    wanted = named is not None and (named.uri.startswith(_FREE) if time_it is None else time_it)
    opened = open_teacher(named) if wanted and named is not None else None
    exported = export(
        module,
        header,
        folder,
        class_names=() if named_by is None else named_by.class_names,
        held_out=images,
        teacher=None if opened is None else opened.teacher,
    )
    _show(exported, opened, as_json=as_json)


def export_network(file: Path, folder: Path, held_out: Mapping[str, object], *, as_json: bool) -> None:
    """Export a network by its file of weights.

    Args:
        file: the weights.
        folder: where the files go.
        held_out: keys of that section; none leaves the comparison with torch out.
        as_json: print JSON.
    """
    module, header = weights.from_file(file)
    _show(export(module, header, folder, held_out=_held_out(held_out)), None, as_json=as_json)


def _held_out(keys: Mapping[str, object]) -> Dataset | None:
    section = parse_sections({"held_out": keys}, "what the options say").held_out if keys else None
    return None if section is None else open_images(section)


def _show(exported: Exported, opened: OpenedTeacher | None, *, as_json: bool) -> None:
    parameters = None if opened is None else opened.parameters
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
        remark("the ONNX file was not held against torch: name images with --held-out")


def _latency(latency: Latency) -> str:
    return f"{latency.one:.2f} ms for 1 image, {latency.many:.2f} ms for {latency.rows}"
