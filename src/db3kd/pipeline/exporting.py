"""A student on its way out: as files for other programs, checked against torch and timed beside its teacher.

Called by `db3kd export`; the checks are in `parity`. The few rows that time a teacher are booked in a ledger of their
own.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from torch import nn

from db3kd import __version__
from db3kd.data import Dataset, ImageOptions, draw
from db3kd.errors import InputError
from db3kd.ledger import Ledger
from db3kd.models import parameter_count, weights
from db3kd.models.int8 import to_int8
from db3kd.models.onnx_file import VALUES, Pixels, to_onnx, with_names
from db3kd.oracle import Oracle
from db3kd.pipeline.parity import (
    ROWS_TIMED,
    Examples,
    FileFigures,
    Latency,
    answers_of,
    as_taken,
    check_same,
    measure_file,
    median,
)
from db3kd.report.card import model_card
from db3kd.report.schema import Report
from db3kd.report.tables import percent
from db3kd.runs.files import storage_errors, write_atomically
from db3kd.teachers import Teacher

ONNX_FILE, INT8_FILE, STATE_FILE = "student.onnx", "student.int8.onnx", "student.safetensors"
FIGURES, CARD = "export.json", "model-card.md"
_CALIBRATED_ON = 512


@dataclass(frozen=True, eq=False)
class Wished:
    """What the ONNX files take, whether they name the class too, and images to make one of 8 bits by, if at all.

    The options say how pictures of another size, and transparent ones, are to be brought to what the files take.
    """

    pixels: Pixels = "uint8"
    class_names: tuple[str, ...] = ()
    named: bool = False
    calibrate_on: Dataset | None = None
    options: ImageOptions = field(default=ImageOptions())


@dataclass(frozen=True)
class Exported:
    """What was written: sizes in bytes by path, what the ONNX files take, and how they did on the images of `kind`.

    `accuracy` is the network's in torch: the share of the images that are as `said_by` says; None where nobody says.
    """

    files: dict[str, int]
    parameters: int
    takes: str
    images: int
    kind: str
    said_by: str | None
    accuracy: float | None
    onnx: FileFigures
    int8: FileFigures | None
    teacher_latency: Latency | None


def export(
    module: nn.Module,
    header: Mapping[str, str],
    folder: Path,
    wished: Wished,
    *,
    examples: Examples | None = None,
    teacher: Teacher | None = None,
    report: Report | None = None,
) -> Exported:
    """Write a student as ONNX files and as a plain `state_dict`, with a model card; give the figures of `export.json`.

    Files are checked on the examples, where there are some, before any is written. An InputError where one does not
    answer as the network, names are wanted and unknown, or there is no image to choose 8 bits by.

    Cost: with a teacher to time, 31 calls of one row and 31 of at most 64 rows, which no budget limits.
    """
    if wished.named and not wished.class_names:
        raise InputError("the names of the classes are not known, so no file can give them; nothing was written")
    module, pixels, shape = module.eval(), wished.pixels, weights.input_shape_of(header)
    about = _metadata(header, wished)
    files = {ONNX_FILE: to_onnx(module, shape, about, pixels=pixels)}
    expected = None if examples is None else answers_of(module, examples, pixels)
    whole, logits = measure_file(files[ONNX_FILE], examples, pixels, expected)
    if expected is not None and logits is not None:
        check_same(logits, expected)
    small = None
    if wished.calibrate_on is not None:
        rows = draw(wished.calibrate_on.ids, _CALIBRATED_ON, seed=0)
        files[INT8_FILE] = to_int8(files[ONNX_FILE], as_taken(wished.calibrate_on.pixels[rows], pixels))
        small, _ = measure_file(files[INT8_FILE], examples, pixels, expected)
    if wished.named:
        files = {name: with_names(file, wished.class_names) for name, file in files.items()}
    contents = {**files, STATE_FILE: weights.to_bytes(module, about)}
    exported = Exported(
        files={str(folder / name): len(content) for name, content in contents.items()},
        parameters=parameter_count(module),
        takes=f"{about['pixels']} from {about['value_range']}, [n, {', '.join(map(str, shape))}]",
        images=0 if examples is None else len(examples.images),
        kind="" if examples is None else examples.kind,
        said_by=None if examples is None or examples.classes is None else examples.said_by,
        accuracy=None if examples is None or expected is None else examples.accuracy(expected.argmax(dim=1)),
        onnx=whole,
        int8=small,
        teacher_latency=None if teacher is None else _time_teacher(teacher),
    )
    contents[FIGURES] = (json.dumps({"format_version": 1, **asdict(exported)}, indent=2) + "\n").encode()
    contents[CARD] = model_card(
        report,
        takes=exported.takes,
        parameters=exported.parameters,
        class_names=wished.class_names,
        measured=_measured(exported),
    ).encode()
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        write_atomically(folder / name, content)
    return exported


def _measured(exported: Exported) -> str:
    """Say how good the network is by the images at hand; nothing where nobody says what they are."""
    if exported.accuracy is None:
        return ""
    shown = f"{percent(exported.accuracy)} of {exported.images:,} {exported.kind}"
    return f"Measured as it was exported: it decides on {shown} as the {exported.said_by} say"


def _metadata(header: Mapping[str, str], wished: Wished) -> dict[str, str]:
    """What files say of themselves."""
    about = {key: value for key, value in header.items() if key not in ("format", "sha256")}
    names = json.dumps(list(wished.class_names), ensure_ascii=False)
    takes = {"pixels": wished.pixels, "value_range": VALUES[wished.pixels], "layout": "batch, channel, row, column"}
    pictures = {"fit": wished.options.fit, "background": f"#{bytes(wished.options.background).hex()}"}
    return {**about, "class_names": names, **takes, **pictures, "db3kd_version": __version__}


def _time_teacher(teacher: Teacher) -> Latency:
    with Ledger(None) as ledger, ledger.account("speed", held_out=True) as account:
        oracle, rows = Oracle(teacher, account), min(ROWS_TIMED, teacher.spec.max_batch)
        noise = torch.rand(rows, *teacher.spec.input_shape, generator=torch.Generator().manual_seed(0))
        return Latency(median(lambda: oracle(noise[:1])), median(lambda: oracle(noise)), rows)
