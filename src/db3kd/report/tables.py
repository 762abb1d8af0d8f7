"""The tables of a report as plain rows of text.

Columns, rounding and the names of students are defined here once; the command line and the page only lay them
out. Fractions are shown as percentages, and an unknown figure as a dash. Knows no layout library.
"""

import statistics
from collections.abc import Mapping
from dataclasses import dataclass

from db3kd.report.schema import Report, StudentFigures
from db3kd.report.searches import Labelling

UNKNOWN = "–"
CHANGED = "answers that changed when asked again"
STUDENT_LABELS = {
    "true-labels": "true labels",
    "hard-decisions": "hard decisions",
    "smoothed-decisions": "hard decisions, smoothed",
    "logits": "teacher's logits (white box)",
    "sd": "sample distance (SD)",
    "bd": "boundary distance (BD)",
    "mbd": "minimal boundary distance (MBD)",
    "guided": "guided search",
    "active": "made images, in rounds",
    "priors": "made images",
}


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Args:
        title: its heading.
        numeric: whether figures stand in it, which are set flush right.
        meaning: a sentence for who does not know the heading, or empty.
    """

    title: str
    numeric: bool = True
    meaning: str = ""


@dataclass(frozen=True)
class Table:
    """Rows of text under columns.

    Args:
        columns: from left to right.
        rows: a text for each column.
    """

    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]


STUDENT_COLUMNS = (
    Column("learned from", numeric=False),
    Column("saw images", meaning="number of images the network was trained on"),
    Column("accuracy", meaning="share of the evaluation images decided as labelled, after the last epoch"),
    Column("agreement", meaning="share of the evaluation images decided as the teacher decides"),
    Column("queries", meaning="image rows the teacher answered so that the labels could be made"),
    Column("queries per image"),
    Column("parameters"),
)


def student_label(student: StudentFigures) -> str:
    """Name a student for a reader.

    Args:
        student: its figures.

    Returns:
        Its own label, else the usual one of its name, else its name.
    """
    return student.label or STUDENT_LABELS.get(student.name, student.name)


def class_label(class_names: tuple[str, ...], number: int) -> str:
    """Name a class for a reader.

    Args:
        class_names: one per class, or empty.
        number: the class.

    Returns:
        Its name, or its number where names are unknown.
    """
    return class_names[number] if class_names else str(number)


def percent(fraction: float | None) -> str:
    """Show a fraction of 1 as a percentage with two decimals.

    Args:
        fraction: from 0 to 1, or None.

    Returns:
        Such as '91.96%', or a dash.
    """
    return UNKNOWN if fraction is None else f"{100 * fraction:.2f}%"


def duration(seconds: float | None) -> str:
    """Show a time in the units a person would use.

    Args:
        seconds: not negative, or None.

    Returns:
        Such as '3.2 s', '4 min 05 s' or '2 h 07 min', or a dash.
    """
    if seconds is None:
        return UNKNOWN
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def student_table(report: Report) -> Table:
    """Put the teacher and its students side by side.

    Args:
        report: the figures.

    Returns:
        The teacher's row, then one for each student in the report's order.
    """
    teacher = report.teacher
    first = ("the teacher itself", UNKNOWN, percent(teacher.accuracy), UNKNOWN, UNKNOWN, UNKNOWN)
    rows = [(*first, _count(teacher.parameters))]
    rows += [
        (
            student_label(student),
            _count(student.images),
            _accuracy(student),
            percent(student.agreement),
            _count(student.queries),
            _ratio(student.queries, student.images),
            _count(student.parameters),
        )
        for student in report.students
    ]
    return Table(STUDENT_COLUMNS, tuple(rows))


def training_table(report: Report) -> Table:
    """Tell what is known of the students' trainings.

    Args:
        report: the figures.

    Returns:
        A row for each student of which a seed, a loss or a calibration is known.
    """
    columns = (
        Column("learned from", numeric=False),
        Column("seeds"),
        Column("last loss", meaning="training loss of the last epoch"),
        Column(
            "calibration error",
            meaning="expected calibration error: mean gap between confidence and the share of right decisions",
        ),
    )
    rows = tuple(
        (
            student_label(student),
            ", ".join(str(seed) for seed in student.seeds) or UNKNOWN,
            UNKNOWN if student.last_loss is None else f"{student.last_loss:.4f}",
            percent(student.calibration.expected_calibration_error if student.calibration else None),
        )
        for student in report.students
        if student.seeds or student.last_loss is not None or student.calibration
    )
    return Table(columns, rows)


def query_table(report: Report) -> Table:
    """Account for the queries, stage by stage.

    Args:
        report: the figures.

    Returns:
        A row per stage, the total of the budget, then the stages outside the budget, and what came of asking twice.
    """
    columns = (Column("stage", numeric=False), Column("queries"))
    rows = [(stage, _count(spent)) for stage, spent in report.queries.by_stage.items()]
    rows.append(("total", _count(report.queries.total)))
    if report.queries.unsettled:
        rows.append(("of these set aside, not known to have been sent", _count(report.queries.unsettled)))
    apart = "(held out, not in the total)"
    rows += [(f"{stage} {apart}", _count(spent)) for stage, spent in report.queries.held_out.items()]
    if report.queries.repeated is not None:
        rows.append((CHANGED, f"{report.queries.changed:,} of {report.queries.repeated:,}"))
    return Table(columns, tuple(rows))


def primer_table(report: Report) -> Table:
    """Show the networks that guided the search.

    Args:
        report: the figures.

    Returns:
        A row for what they are, know and cost each; no rows where nothing guided it.
    """
    columns = (Column("primers", numeric=False), Column("figure"))
    found = report.primers
    if found is None:
        return Table(columns, ())
    rows = (
        ("networks", f"{found.networks} x {found.architecture}"),
        ("queries for what they learned from", _count(found.queries)),
        ("accuracy", percent(found.accuracy)),
        ("agreement with the teacher", percent(found.agreement)),
        ("cosine to the boundary's normal", UNKNOWN if found.cosine is None else f"{found.cosine:.2f}"),
        ("their own passes", _count(found.passes)),
        ("time of these", duration(found.seconds)),
    )
    return Table(columns, rows)


def outcome_table(labelling: Labelling) -> Table:
    """Tell how the pairs of a search ended.

    Args:
        labelling: what the search found.

    Returns:
        A row per outcome with its count, its share and its sentence.
    """
    columns = (Column("outcome", numeric=False), Column("pairs"), Column("share"), Column("meaning", numeric=False))
    rows = tuple(
        (name, _count(ended.pairs), percent(ended.pairs / labelling.pairs if labelling.pairs else None), ended.sentence)
        for name, ended in labelling.outcomes.items()
    )
    return Table(columns, rows)


def class_table(report: Report) -> Table:
    """Show each student's accuracy per class.

    Args:
        report: the figures.

    Returns:
        A row per class and a column per student that has such figures; no rows where none has.
    """
    students = [student for student in report.students if student.per_class]
    columns = (Column("class", numeric=False), *(Column(student_label(student)) for student in students))
    count = len(students[0].per_class) if students else 0
    rows = tuple(
        (class_label(report.class_names, number), *(percent(student.per_class[number]) for student in students))
        for number in range(count)
    )
    return Table(columns, rows)


def setting_table(report: Report) -> Table:
    """List the settings, nested ones as dotted names.

    Args:
        report: the figures.

    Returns:
        A row per setting.
    """
    columns = (Column("setting", numeric=False), Column("value", numeric=False))
    return Table(columns, tuple(_flat(report.settings)))


def _flat(settings: Mapping[str, object], prefix: str = "") -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    for name, value in settings.items():
        if isinstance(value, dict):
            rows += _flat(value, f"{prefix}{name}.")
        else:
            rows.append((prefix + name, _value(value)))
    return rows


def _value(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(_value(item) for item in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return UNKNOWN if value is None else str(value)


def _count(number: int | None) -> str:
    return UNKNOWN if number is None else f"{number:,}"


def _ratio(queries: int | None, images: int | None) -> str:
    if queries is None or not images:
        return UNKNOWN
    ratio = queries / images
    return f"{ratio:,.0f}" if ratio >= 100 or ratio == int(ratio) else f"{ratio:,.1f}"


def _accuracy(student: StudentFigures) -> str:
    """The accuracy, with its standard deviation where there are several seeds."""
    shown = percent(student.accuracy)
    if student.accuracy is None or len(student.accuracy_by_seed) < 2:
        return shown
    return f"{shown} ± {100 * statistics.stdev(student.accuracy_by_seed):.2f}"
