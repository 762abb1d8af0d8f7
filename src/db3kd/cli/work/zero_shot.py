"""The work of `db3kd bench zero-shot`."""

import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from db3kd.bench.zero_shot import ZeroShot, ZeroShotMethod, measure_zero_shot
from db3kd.cli.display import print_pairs, remark, showing
from db3kd.cli.work.tables import print_table
from db3kd.cli.work.watching import Watched
from db3kd.data import load
from db3kd.errors import InputError
from db3kd.plan.teacher_keys import TeacherSection
from db3kd.plan.teachers import open_teacher
from db3kd.report.tables import Column, Table, percent
from db3kd.runs import Run, write_atomically

_COLUMNS = (Column("student", numeric=False), Column("accuracy"), Column("agreement"))


def measure_without_data(
    uri: str,
    source: str,
    file: Path | None,
    *,
    calls: int,
    method: ZeroShotMethod,
    students: Sequence[str],
    epochs: int | None,
    seed: int,
    folder: Path | None,
    device: str,
) -> None:
    """Measure students that never saw an image, print the table, write the file.

    Args:
        uri: of the teacher.
        source: its test split is what students are measured on.
        file: gets all figures as JSON.
        calls: most queries.
        method: how images are made and chosen.
        students: architectures.
        epochs: of each student; None for what suits the number of calls.
        seed: of all choices.
        folder: of a run that keeps it all; None for a temporary one.
        device: where networks are trained and asked.
    """
    # Told now and not after minutes of measuring.
    if file is not None and not file.absolute().parent.is_dir():
        raise InputError(f"{file} cannot be written: there is no folder {file.parent}; nothing was asked: make it")
    if not students:
        raise InputError("name one student at least, such as lenet5-half; nothing was asked")
    teacher = open_teacher(TeacherSection(uri=uri), device=device).teacher
    held_out = load(source, "test")
    with ExitStack() as stack:
        kept = folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="db3kd-")))
        run, stages = stack.enter_context(Run(kept)), stack.enter_context(showing())
        figures = measure_zero_shot(
            run,
            Watched(teacher, stages.hear_rows),
            held_out,
            calls=calls,
            method=method,
            students=students,
            teacher_name=uri,
            epochs=epochs,
            seed=seed,
            device=device,
            progress=stages,
        )
    if file is not None:
        write_atomically(file, figures.to_json())
    _show(figures)


def _show(figures: ZeroShot) -> None:
    rows = tuple((one.name, percent(one.accuracy), percent(one.agreement)) for one in figures.students)
    print_table(Table(_COLUMNS, rows), title=f"{figures.method}: {figures.calls:,} calls, no image")
    print_pairs(
        {
            "different images": f"{figures.unique_images:,}",
            "answers by class": ", ".join(f"{count:,}" for count in figures.class_histogram),
            "seconds": f"{figures.seconds:,.0f}",
            "peak memory": f"{figures.peak_memory_bytes / 2**20:,.0f} MiB",
        }
    )
    if figures.never_decided:
        names = ", ".join(map(str, figures.never_decided))
        remark(f"no image that students learn from was decided to be of class {names}: they do not know it")
