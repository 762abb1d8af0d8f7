"""The work of `db3kd distill`."""

from collections.abc import Mapping
from pathlib import Path

from db3kd.cli.display import print_json, remark, showing
from db3kd.cli.work.kept import kept_transfer
from db3kd.cli.work.tables import print_table
from db3kd.errors import DataError, RunMismatch
from db3kd.models import build, parameter_count
from db3kd.pipeline.labelling import TRANSFER
from db3kd.pipeline.lessons import check_lessons, own_label
from db3kd.pipeline.priming import has_primers
from db3kd.pipeline.students import last_losses
from db3kd.pipeline.supplement import supplement_for
from db3kd.pipeline.telling import STUDENT, student_files, teach
from db3kd.pipeline.timing import timed
from db3kd.plan import parse_sections
from db3kd.plan.opening import open_distillation
from db3kd.report.tables import STUDENT_LABELS, UNKNOWN, Column, Table
from db3kd.runs import Run
from db3kd.transfer import transfer_from_bytes

_OF_THE_TRANSFER_SET = ("teacher", "images", "held_out", "label", "primer")


def distill_student(
    folder: Path, asked: Mapping[str, object], transfer_file: Path | None, *, device: str, as_json: bool
) -> None:
    """Train the students of a run, or go on with it.

    Args:
        folder: of the run.
        asked: keys of the section `distill`.
        transfer_file: what another run has bought, or None for this run's own.
        device: where they learn.
        as_json: print JSON.
    """
    sections = parse_sections({"distill": asked}, "what the options say")
    assert sections.distill is not None
    with Run(folder) as run:
        if transfer_file is not None:
            _copy_transfer(run, transfer_file)
        transfer = kept_transfer(run)
        distillation = open_distillation(sections.distill, primed=has_primers(run), images=len(transfer))
        # Both before the run is bound to them: what cannot be learnt, and a network that cannot be built.
        supplement = supplement_for(run, transfer, distillation)
        check_lessons(transfer, distillation, supplement)
        build(distillation.student, transfer.images.image_shape, transfer.num_classes)
        run.adopt(sections.sections())
        with showing() as stages, timed(run):
            students = teach(run, transfer, distillation, supplement=supplement, device=device, progress=stages)
        losses = last_losses(run)
    files = student_files(transfer, distillation)
    rows: list[dict[str, object]] = [
        {
            "name": name,
            "label": (own_label(distillation) if files[name] == STUDENT else "") or STUDENT_LABELS.get(name, name),
            "file": str(folder / f"{files[name]}.safetensors"),
            "parameters": parameter_count(student),
            "images": len(transfer),
            "epochs": distillation.recipe.epochs,
            "last_loss": losses.get(files[name]),
        }
        for name, student in students.items()
    ]
    if as_json:
        print_json({"students": rows})
        return
    print_table(_table(rows))
    remark(f"next: db3kd evaluate --run {folder} --held-out SOURCE")


def _copy_transfer(run: Run, file: Path) -> None:
    """Take over what another run has bought, with the sections of its plan that say how."""
    try:
        data = file.read_bytes()
    except OSError as error:
        raise DataError(f"the transfer set {file} cannot be read: {error.strerror}; name another file") from error
    transfer = transfer_from_bytes(data, str(file))
    kept = run.get(TRANSFER)
    if kept is not None and kept != data:
        raise RunMismatch(
            f"{run.folder / TRANSFER} is another transfer set than {file}; nothing was changed: use another run "
            "directory"
        )
    plan = Run(file.parent).plan() or {}
    run.adopt({name: plan[name] for name in _OF_THE_TRANSFER_SET if name in plan})
    run.adopt_teacher(transfer.provenance["teacher"])
    if kept is None:
        run.put(TRANSFER, data)


def _table(rows: list[dict[str, object]]) -> Table:
    columns = (Column("learned from", numeric=False), Column("file", numeric=False), Column("epochs"))
    losses = [row["last_loss"] for row in rows]
    return Table(
        (*columns, Column("parameters"), Column("last loss")),
        tuple(
            (
                str(row["label"]),
                str(row["file"]),
                f"{row['epochs']:,}",
                f"{row['parameters']:,}",
                f"{loss:.4f}" if isinstance(loss, float) else UNKNOWN,
            )
            for row, loss in zip(rows, losses, strict=True)
        ),
    )
