"""The tables of every report as plain rows of text.

Columns, rounding and the names of students are defined here once; the command line and the page only lay them out.
Fractions are shown as percentages, and an unknown figure as a dash. What was asked has tables of its own, in `asking`.
"""

import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from db3kd.boundary import Outcome
from db3kd.report.distances import DistanceFigures
from db3kd.report.figures import CommitteeFigures, StudentFigures
from db3kd.report.schema import Report

T = TypeVar("T")
UNKNOWN = "–"
CHANGED = "answers that changed when asked again"
STUDENT_LABELS = {
    "true-labels": "true labels",
    "hard-decisions": "hard decisions",
    "smoothed-decisions": "hard decisions, smoothed",
    "logits": "teacher's logits (white box)",
    "opinions": "what the committee thinks",
    "sd": "sample distance (SD)",
    "bd": "boundary distance (BD)",
    "mbd": "minimal boundary distance (MBD)",
    "guided": "guided search",
}


@dataclass(frozen=True)
class Column:
    """One column of a table; figures are set flush right, and a meaning explains a heading that needs it."""

    title: str
    numeric: bool = True
    meaning: str = ""


@dataclass(frozen=True)
class Table:
    """Rows of text under columns."""

    columns: tuple[Column, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()


def table_of(things: Iterable[T], *columns: tuple[Column, Callable[[T], str]]) -> Table:
    """Make a row of each thing; each column stands with what its cell says of the thing."""
    headings, cells = zip(*columns, strict=True)
    return Table(headings, tuple(tuple(cell(thing) for cell in cells) for thing in things))


def student_label(student: StudentFigures) -> str:
    """Name a student by its own label, else by the usual one of its name."""
    return student.label or STUDENT_LABELS.get(student.name, student.name)


def class_label(class_names: tuple[str, ...], number: int) -> str:
    """Name a class, by its number where names are unknown."""
    return class_names[number] if class_names else str(number)


def held_out_label(stage: str) -> str:
    """Name a stage whose queries are booked outside the budget."""
    return f"{stage} (outside the budget)"


def percent(fraction: float | None) -> str:
    """Show a fraction of 1 as a percentage with two decimals, such as '91.96%', or a dash."""
    return UNKNOWN if fraction is None else f"{100 * fraction:.2f}%"


def share(part: int, whole: int) -> str:
    """Show a part of a whole as a percentage; of nothing, a dash."""
    return percent(part / whole if whole else None)


def count(number: int | None) -> str:
    """Show a count, such as '12,345', or a dash."""
    return UNKNOWN if number is None else f"{number:,}"


def duration(seconds: float | None) -> str:
    """Show a time, such as '3.2 s', '4 min 05 s' or '2 h 07 min', or a dash."""
    if seconds is None:
        return UNKNOWN
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def student_table(report: Report) -> Table:
    """Put the teacher and its students side by side, the teacher first."""
    students = table_of(
        report.students,
        (Column("learned from", numeric=False), student_label),
        (Column("saw images", meaning="number of images the network was trained on"), lambda one: count(one.images)),
        (
            Column("accuracy", meaning="share of the evaluation images decided as labelled, after the last epoch"),
            _accuracy,
        ),
        (
            Column("agreement", meaning="share of the evaluation images decided as the teacher decides"),
            lambda one: percent(one.agreement),
        ),
        (
            Column("queries", meaning="images the teacher was asked about to get the labels"),
            lambda one: count(one.queries),
        ),
        (Column("queries per image"), _queries_per_image),
        (Column("parameters"), lambda one: count(one.parameters)),
    )
    accuracy, parameters = percent(report.teacher.accuracy), count(report.teacher.parameters)
    teacher = ("the teacher itself", UNKNOWN, accuracy, UNKNOWN, UNKNOWN, UNKNOWN, parameters)
    return Table(students.columns, (teacher, *students.rows))


def training_table(report: Report) -> Table:
    """Show a row for each student of which a seed, a loss or a calibration is known."""
    explained = "expected calibration error: mean gap between confidence and the share of right decisions"
    return table_of(
        [one for one in report.students if one.seeds or one.last_loss is not None or one.calibration],
        (Column("learned from", numeric=False), student_label),
        (Column("seeds"), lambda one: ", ".join(map(str, one.seeds)) or UNKNOWN),
        (
            Column("last loss", meaning="training loss of the last epoch"),
            lambda one: UNKNOWN if one.last_loss is None else f"{one.last_loss:.4f}",
        ),
        (
            Column("calibration error", meaning=explained),
            lambda one: percent(one.calibration.error if one.calibration else None),
        ),
    )


def again_rows(spent: Mapping[str, int], again: Mapping[str, int]) -> list[tuple[str, str]]:
    """Say how many rows of stages were charged again; nothing where none were."""
    rows = sum(again.get(stage, 0) for stage in spent)
    return [("of these charged again after a connection or a replica was lost", count(rows))] if rows else []


def query_table(report: Report) -> Table:
    """Account for the queries: by stage, in all, outside the budget, and what came of asking again."""
    queries = report.queries
    rows = [(stage, count(spent)) for stage, spent in queries.by_stage.items()]
    rows.append(("total", count(queries.total)))
    rows += again_rows(queries.by_stage, queries.charged_again)
    if queries.unsettled:
        rows.append(("of these charged, but not known to have been sent", count(queries.unsettled)))
    rows += [(held_out_label(stage), count(spent)) for stage, spent in queries.held_out.items()]
    rows += again_rows(queries.held_out, queries.charged_again)
    if queries.repeated is not None:
        rows.append((CHANGED, f"{queries.changed:,} of {queries.repeated:,}"))
    return Table((Column("stage", numeric=False), Column("queries")), tuple(rows))


def committee_table(found: CommitteeFigures | None) -> Table:
    """Show what the committee is, knows and costs, in so far as it is known."""
    if found is None:
        return Table()
    rows = (
        ("members", f"{found.members} × {found.architecture}"),
        ("answers that they learned from", count(found.queries)),
        ("mean accuracy", percent(found.accuracy)),
        ("mean agreement with the teacher", percent(found.agreement)),
        ("cosine to the boundary's normal", UNKNOWN if found.cosine is None else f"{found.cosine:.2f}"),
        ("passes during the search", count(found.passes)),
        ("time of these", duration(found.seconds)),
    )
    return Table(
        (Column("committee", numeric=False), Column("figure")), tuple(row for row in rows if row[1] != UNKNOWN)
    )


def outcome_table(found: DistanceFigures) -> Table:
    """Tell how the pairs of a search ended, each outcome with a sentence."""
    return table_of(
        found.outcomes.items(),
        (Column("outcome", numeric=False), lambda ended: ended[0]),
        (Column("pairs"), lambda ended: count(ended[1])),
        (Column("share"), lambda ended: share(ended[1], found.pairs)),
        (Column("meaning", numeric=False), lambda ended: Outcome[ended[0]].sentence),
    )


def class_table(report: Report) -> Table:
    """Show the accuracy per class of each student that has such figures."""
    students = [student for student in report.students if student.per_class]
    columns = (Column("class", numeric=False), *(Column(student_label(student)) for student in students))
    rows = tuple(
        (class_label(report.class_names, number), *map(percent, accuracies))
        for number, accuracies in enumerate(zip(*(student.per_class for student in students), strict=True))
    )
    return Table(columns, rows)


def setting_table(report: Report) -> Table:
    """List the settings, nested ones by dotted names."""
    columns = (Column("setting", numeric=False), Column("value", numeric=False))
    return Table(columns, tuple(_flat(report.settings)))


def _flat(settings: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in settings.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, _value(value)


def _value(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(_value, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return UNKNOWN if value is None else str(value)


def _queries_per_image(student: StudentFigures) -> str:
    if student.queries is None or not student.images:
        return UNKNOWN
    ratio = student.queries / student.images
    if 0 < ratio < 1:
        return f"{ratio:.2g}"
    return f"{ratio:,.0f}" if ratio >= 100 or ratio == int(ratio) else f"{ratio:,.1f}"


def _accuracy(student: StudentFigures) -> str:
    """The accuracy, with its standard deviation where there are several seeds."""
    shown = percent(student.accuracy)
    if student.accuracy is None or len(student.accuracy_by_seed) < 2:
        return shown
    return f"{shown} ± {100 * statistics.stdev(student.accuracy_by_seed):.2f}"
