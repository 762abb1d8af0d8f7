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
    """How long a call takes on the CPU, in milliseconds: the median of some calls.

    Args:
        one: of one image.
        many: of `rows` images.
        rows: how many those are.
    """

    one: float
    many: float
    rows: int


@dataclass(frozen=True)
class Exported:
    """What was written, and what is known of it.

    Args:
        files: sizes in bytes, by path.
        parameters: number of weights.
        images: held-out images that both were asked about; 0 without any.
        same_answers: on how many of them the ONNX file decides as the network in torch does.
        latency: of the ONNX file.
        teacher_latency: of the teacher, where it was measured.
    """

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
    """Write a student as an ONNX file and as a plain `state_dict`.

    Args:
        module: the student.
        header: of its file of weights.
        folder: where the files go; made where there is none.
        class_names: what the classes are called.
        held_out: images on which the ONNX file is held against the network in torch.
        teacher: is timed beside it; None leaves it alone.

    Returns:
        What was written, with figures.

    Raises:
        InputError: the extra `onnx` is not installed.
        StorageError: a file cannot be written.

    Cost: none without a teacher; with one, 30 calls of one row and a few of `max_batch` rows, outside any budget.
    """
    shape = weights.input_shape_of(header)
    about = {
        **{key: value for key, value in header.items() if key not in ("format", "sha256")},
        "class_names": json.dumps(list(class_names), ensure_ascii=False),
        "value_range": "0 to 1",
        "db3kd_version": __version__,
    }
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    contents = {ONNX_FILE: to_onnx(module, shape, about), STATE_FILE: weights.to_bytes(module, about)}
    for name, content in contents.items():
        write_atomically(folder / name, content)
    exported = OnnxTeacher(folder / ONNX_FILE, max_batch=_ROWS_PER_PASS)
    images = 0 if held_out is None else len(held_out)
    same = 0 if held_out is None else int((_decide(module, held_out) == _ask(exported, held_out)).sum())
    return Exported(
        files={str(folder / name): len(content) for name, content in contents.items()},
        parameters=parameter_count(module),
        images=images,
        same_answers=same,
        latency=_time(exported, shape, rows=64),
        teacher_latency=None if teacher is None else time_teacher(teacher),
    )


def time_teacher(teacher: Teacher) -> Latency:
    """Time a teacher's calls.

    Args:
        teacher: is asked about noise.

    Returns:
        Its latency.

    Raises:
        TeacherError: it failed.

    Cost: up to 31 calls of one row and 31 of at most 64 rows, on a held-out account that no budget limits.
    """
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


def _decide(module: nn.Module, images: Dataset) -> Int[Tensor, " n"]:
    with torch.inference_mode():
        return torch.cat([module(images.images(rows)).argmax(1) for rows in _parts(images)]).clone()


def _ask(exported: OnnxTeacher, images: Dataset) -> Int[Tensor, " n"]:
    # Our own file: what it is asked costs nobody anything.
    return torch.cat([exported(images.images(rows)) for rows in _parts(images)])


def _parts(images: Dataset) -> tuple[Int[Tensor, " _"], ...]:
    parts: tuple[Int[Tensor, " _"], ...] = torch.arange(len(images)).split(_ROWS_PER_PASS)
    return parts
