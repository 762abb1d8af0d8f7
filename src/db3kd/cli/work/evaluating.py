"""The work of `db3kd evaluate` and `db3kd report`."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from db3kd.cli.display import print_json, print_pairs, remark, showing
from db3kd.cli.work.kept import existing, kept_sections, kept_transfer, warn_of_changes
from db3kd.cli.work.tables import print_table
from db3kd.cli.work.watching import Watched
from db3kd.errors import InputError, RunError
from db3kd.evaluation import Evaluation, evaluate
from db3kd.ledger import Ledger
from db3kd.models import parameter_count, weights
from db3kd.oracle import Oracle
from db3kd.pipeline import Story
from db3kd.pipeline.labelling import TRANSFER
from db3kd.pipeline.priming import has_primers
from db3kd.pipeline.repeating import kept_repeats
from db3kd.pipeline.telling import PAGE, REPORT, STUDENT, check_images, conclude, student_files, teach, write_page
from db3kd.pipeline.trusting import TRUST
from db3kd.plan import Sections, parse_sections
from db3kd.plan.opening import open_distillation, open_images, open_labelling
from db3kd.plan.schema import LabelSection
from db3kd.plan.teachers import OpenedTeacher, open_teacher
from db3kd.report import making
from db3kd.report.schema import Report, from_json
from db3kd.report.tables import UNKNOWN, Column, Table, percent, query_table, student_table
from db3kd.runs import Run
from db3kd.teachers import TeacherSpec

_ORIGIN = "what the options say"


def evaluate_run(
    folder: Path, held_out: Mapping[str, object], teacher: Mapping[str, object], *, device: str, as_json: bool
) -> None:
    """Measure the students of a run and write its report.

    Args:
        folder: of the run.
        held_out: keys of that section; none where the run's own holds.
        teacher: keys of that section; none where the run's own holds.
        device: where networks run.
        as_json: print JSON.
    """
    named = parse_sections(_named(held_out=held_out, teacher=teacher), _ORIGIN)
    with existing(folder) as run:
        kept = kept_sections(run)
        if run.has(f"{STUDENT}.safetensors") and run.has(TRUST) and not run.has(TRANSFER):
            raise InputError(
                f"{folder} holds a student that was made without images; nothing was measured: name some in the "
                "plan's section held_out and run it again, or in distill_without_data(held_out=), or use --weights "
                f"{folder / STUDENT}.safetensors --data SOURCE"
            )
        if kept.distill is None:
            raise RunError(f"{folder} holds no student; nothing was measured: db3kd distill --run {folder} makes one")
        transfer = kept_transfer(run)
        distillation = open_distillation(kept.distill, primed=has_primers(run), images=len(transfer))
        files = student_files(transfer, distillation).values()
        missing = [name for name in files if not run.has(f"{name}.safetensors")]
        if missing:
            raise RunError(
                f"{folder} has not finished training {', '.join(missing)}; nothing was measured: finish it first"
            )
        opened, uri = _open_teacher(named, kept, folder, device)
        section = named.held_out or kept.held_out
        if section is None:
            raise InputError(f"{folder} names no held-out images; nothing was measured: name them with --held-out")
        images = open_images(section)
        check_images(opened.teacher.spec, images)
        run.adopt_teacher(opened.teacher.spec.fingerprint)
        run.adopt({"held_out": section.model_dump(mode="json", exclude_none=True)})
        with showing() as stages:
            story = Story(
                teacher=Watched(opened.teacher, stages.hear_rows),
                images=transfer.images,
                held_out=images,
                labelling=open_labelling(kept.label or LabelSection(), device=device),
                distillation=distillation,
                teacher_name=uri,
                teacher_parameters=opened.parameters,
                device=device,
            )
            students = teach(run, transfer, distillation, device=device)
            report = conclude(run, story, transfer, students, progress=stages)
        print_report(run, report, as_json=as_json)


def evaluate_network(
    file: Path, data: Mapping[str, object], teacher: Mapping[str, object], *, device: str, as_json: bool
) -> None:
    """Measure one network.

    Args:
        file: its weights.
        data: keys of the section `held_out`.
        teacher: keys of that section; without, agreement is not measured.
        device: where it runs.
        as_json: print JSON.
    """
    named = parse_sections(_named(held_out=data, teacher=teacher), _ORIGIN)
    assert named.held_out is not None
    network, header = weights.from_file(file)
    images = open_images(named.held_out)
    check_images(TeacherSpec(weights.input_shape_of(header), int(header["num_classes"])), images)
    decisions, asked = None, 0
    if named.teacher is not None:
        opened = open_teacher(named.teacher, device=device).teacher
        check_images(opened.spec, images)
        with showing() as stages, Ledger(None) as ledger, ledger.account("held-out", held_out=True) as account:
            stages("held-out", 0, len(images), "images")
            decisions = Oracle(Watched(opened, stages.hear_rows), account)(images.images())
            stages("held-out", len(images), len(images), "images")
            asked = account.spent
    found = evaluate(network, images, decisions=decisions, labels=images.labels, device=device)
    if as_json:
        about = {"weights": str(file), "architecture": header["architecture"], "parameters": parameter_count(network)}
        print_json({**about, "data": images.name, "held_out_queries": asked, **asdict(found)})
        return
    _show(found, asked)


def show_report(folder: Path, *, as_json: bool) -> None:
    """Print the table of a report and make its page again.

    Args:
        folder: of the run.
        as_json: print the report's JSON.
    """
    with existing(folder) as run:
        try:
            report = write_page(run)
        except RunError:
            raise
        except InputError as error:
            remark(str(error))
            report = from_json((run.get(REPORT) or b"").decode())
        print_report(run, report, as_json=as_json)


def print_report(run: Run, report: Report, *, as_json: bool) -> None:
    """Print what a report holds.

    Args:
        run: its run.
        report: the figures.
        as_json: as JSON.
    """
    if as_json:
        print_json(report.model_dump(mode="json"))
    else:
        print_table(student_table(report), report.title)
        print_table(query_table(report))
        for note in making.synthesis_notes(report.synthesis, report.class_names):
            remark(note)
        if report.exploration is not None:
            print_table(making.answer_table(report.exploration, report.class_names), "answers kept apart from training")
            for note in making.trust_notes(report.exploration, report.class_names):
                remark(note)
        remark(f"report: {run.folder / (PAGE if run.has(PAGE) else REPORT)}")
    warn_of_changes(kept_repeats(run))


def _open_teacher(named: Sections, kept: Sections, folder: Path, device: str) -> tuple[OpenedTeacher, str]:
    section = named.teacher or kept.teacher
    if section is None:
        raise InputError(f"{folder} does not name its teacher; nothing was measured: name it with --teacher")
    return open_teacher(section, device=device), section.uri


def _named(**keys: Mapping[str, object]) -> dict[str, object]:
    return {name: dict(values) for name, values in keys.items() if values}


def _show(found: Evaluation, asked: int) -> None:
    calibration = found.calibration
    pairs = {
        "images": f"{found.images:,}",
        "accuracy": percent(found.accuracy),
        "agreement": percent(found.agreement),
        "calibration error": UNKNOWN
        if calibration is None
        else f"{percent(calibration.error)} against the {calibration.against}",
    }
    print_pairs(pairs)
    columns = (Column("class"), Column("images"), Column("accuracy"), Column("decided"), Column("agreement"))
    rows = tuple(
        (
            str(score.label),
            _count(score.images),
            percent(score.accuracy),
            _count(score.decided),
            percent(score.agreement),
        )
        for score in found.classes
    )
    print_table(Table(columns, rows))
    if asked:
        remark(f"the teacher was asked {asked:,} held-out queries, which no budget counts")


def _count(number: int | None) -> str:
    return UNKNOWN if number is None else f"{number:,}"
