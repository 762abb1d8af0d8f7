"""A student on its way out: as files for other programs, checked against torch and timed beside its teacher.

Called by `db3kd export`. The few rows that time a teacher are booked in a ledger of their own.
"""

import json
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from db3kd import __version__
from db3kd.data import Dataset
from db3kd.ledger import Ledger
from db3kd.models import parameter_count, weights
from db3kd.models.onnx_file import to_onnx
from db3kd.oracle import Oracle
from db3kd.runs.files import storage_errors, write_atomically
from db3kd.teachers import OnnxTeacher, Teacher
from db3kd.tensors import Float, Int, Tensor

ONNX_FILE, STATE_FILE = "student.onnx", "student.safetensors"
_CALLS = 30
_ROWS_PER_PASS = 512


@dataclass(frozen=True)
class Latency:
    """How long a call takes on the CPU, in milliseconds: the median of some calls of one and of `rows` images."""

    one: float
    many: float
    rows: int


@dataclass(frozen=True)
class Exported:
    """Sizes in bytes by path, and on how many held-out images the ONNX file answers as the network in torch does."""

    files: dict[str, int]
    parameters: int
    images: int
    same_answers: int
    latency: Latency
    teacher_latency: Latency | None


def export(
    module: nn.Module,
    header: dict[str, str],
    folder: Path,
    *,
    class_names: tuple[str, ...] = (),
    held_out: Dataset | None = None,
    teacher: Teacher | None = None,
) -> Exported:
    """Write a student as an ONNX file and as a plain `state_dict`; `header` is that of its file of weights.

    Cost: with a teacher to time, 31 calls of one row and 31 of at most 64 rows, which no budget limits.
    """
    shape = weights.input_shape_of(header)
    about = {key: value for key, value in header.items() if key not in ("format", "sha256")}
    about["class_names"] = json.dumps(list(class_names), ensure_ascii=False)
    about |= {"value_range": "0 to 1", "db3kd_version": __version__}
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    contents = {ONNX_FILE: to_onnx(module, shape, about), STATE_FILE: weights.to_bytes(module, about)}
    for name, content in contents.items():
        write_atomically(folder / name, content)
    exported = OnnxTeacher(folder / ONNX_FILE, max_batch=_ROWS_PER_PASS)
    same = 0
    with torch.inference_mode():
        for pixels in () if held_out is None else held_out.images().split(_ROWS_PER_PASS):
            # Our own file: what it is asked costs nobody anything.
            same += int((module(pixels).argmax(1) == exported(pixels)).sum())
    return Exported(
        files={str(folder / name): len(content) for name, content in contents.items()},
        parameters=parameter_count(module),
        images=0 if held_out is None else len(held_out),
        same_answers=same,
        latency=_time(exported, shape, rows=64),
        teacher_latency=None if teacher is None else _time_teacher(teacher),
    )


def _time_teacher(teacher: Teacher) -> Latency:
    with Ledger(None) as ledger, ledger.account("speed", held_out=True) as account:
        return _time(Oracle(teacher, account), teacher.spec.input_shape, rows=min(64, teacher.spec.max_batch))


def _time(
    decide: Callable[[Float[Tensor, "b c h w"]], Int[Tensor, " b"]], shape: tuple[int, int, int], *, rows: int
) -> Latency:
    noise = torch.rand(rows, *shape, generator=torch.Generator().manual_seed(0))
    return Latency(_median(lambda: decide(noise[:1])), _median(lambda: decide(noise)), rows)


def _median(call: Callable[[], object]) -> float:
    # The first call is often slower than all others.
    call()
    seconds = []
    for _ in range(_CALLS):
        started = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - started)
    return 1000 * statistics.median(seconds)
