"""The report as one HTML page that needs nothing but itself.

Chooses what is shown and in which order; the words and the looks are in `page.html.j2`, the columns in `tables` and
`asking`, the charts in `pictures` and `examples`. Called by the end of a run and by `db3kd report`, which write the
text.
"""

from collections.abc import Iterator, Sequence
from importlib import resources

from db3kd.errors import needing
from db3kd.evaluation import Point, curve_of
from db3kd.report import asking, bills, colors, tables
from db3kd.report.distances import DistanceFigures
from db3kd.report.examples import Example, draw, png_uri
from db3kd.report.schema import Report


def render(report: Report, examples: Sequence[Example] = (), *, sheet: bytes = b"") -> str:
    """Make the page, with its style and pictures inside; no script and no address. Equal input gives equal text.

    An example adds three small pictures, so a dozen is plenty. The sheet is a PNG file from `strips`, or nothing.
    """
    with needing("report", "the HTML report", outcome="no page was made"):
        # Here and not above: the extra is optional, and matplotlib takes half a second that a plain command need not.
        import jinja2

        from db3kd.report import pictures
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    source = resources.files("db3kd.report").joinpath("page.html.j2").read_text(encoding="utf-8")
    shown = any(student.accuracy is not None for student in report.students)
    return environment.from_string(source).render(
        report=report,
        colors=colors,
        about="" if report.asking is None else asking.asked_about(report.asking),
        tiles=_tiles(report),
        students=tables.student_table(report),
        own=_own(report),
        trainings=tables.training_table(report),
        accuracies=pictures.accuracy_chart(report) if shown else "",
        queries=tables.query_table(report),
        bills=bills.bill_table_of(report.queries),
        committee=tables.committee_table(report.committee),
        asked=asking.asking_table(report.asking, report.class_names),
        trust=asking.trust_notes(report.asking, report.class_names),
        gains=asking.gain_table(report.asking),
        curve=_curve(report),
        confusion=_confusion(report),
        transforms=asking.transform_table(report.asking),
        minded=_minded(report),
        origins=asking.origin_table(report.asking),
        repulsion=asking.repulsion_table(report.repulsion, report.class_names),
        missing=asking.repulsion_notes(report.repulsion, report.class_names),
        steps=asking.step_table(report.repulsion),
        sheet=png_uri(sheet) if sheet else "",
        distances=[_view(number, search, report.class_names) for number, search in enumerate(report.distances)],
        examples=[draw(example) for example in examples],
        classes=tables.class_table(report),
        calibrations=[
            {
                "chart": pictures.reliability_diagram(student.calibration, name=f"reliability-{number}"),
                "label": tables.student_label(student),
                "error": tables.percent(student.calibration.error),
            }
            for number, student in enumerate(report.students)
            if student.calibration is not None and student.calibration.bins
        ],
        settings=tables.setting_table(report),
    )


def _own(report: Report) -> str:
    """The row of the student that the user gets; nothing in a comparison such as the demo's, which makes none."""
    return "" if report.student is None or report.asking is None else tables.student_label(report.student)


def _tiles(report: Report) -> tuple[tuple[str, str], ...]:
    """The figures on top of the page, each with what it is."""
    tiles = list(_tiles_of_student(report))
    if report.teacher.accuracy is not None:
        tiles.append((tables.percent(report.teacher.accuracy), "accuracy of the teacher"))
    tiles.append((f"{report.queries.total:,}", "queries charged to the budget"))
    if report.queries.held_out:
        tiles.append((f"{sum(report.queries.held_out.values()):,}", "held-out queries, outside the budget"))
    if report.queries.money is not None and report.queries.prices is not None:
        shown = bills.shown_money(report.queries.money)
        tiles.append((f"{shown} {report.queries.prices.currency}", "for queries and tokens, held-out ones too"))
    if report.seconds is not None:
        tiles.append((tables.duration(report.seconds), "wall time"))
    return tuple(tiles)


def _tiles_of_student(report: Report) -> Iterator[tuple[str, str]]:
    """How good the student is: on held-out images, else on answers that were set aside."""
    if report.asking is None:
        return
    student, trust = report.student, report.asking.trust
    if student is not None and student.agreement is not None:
        yield tables.percent(student.agreement), "agreement of the student with the teacher"
    elif trust is not None and trust.agreement is not None:
        yield tables.percent(trust.agreement), f"agreement of the student on {trust.images:,} answers set aside"
    if student is not None and student.accuracy is not None:
        yield tables.percent(student.accuracy), "accuracy of the student"


def _curve(report: Report) -> str:
    """How good committee and student are, over the questions; nothing where there were no rounds."""
    from db3kd.report import pictures

    found = report.asking
    points = () if found is None else curve_of(found.gains)
    if found is None or not points:
        return ""
    trust, student = found.trust, report.student
    own = None
    if trust is not None and trust.agreement is not None and trust.lower is not None and trust.upper is not None:
        own = Point(found.queries, trust.agreement, trust.lower, trust.upper)
    return pictures.agreement_chart(
        points,
        after_1000_more=found.after_1000_more,
        student=own,
        accuracy=None if student is None else student.accuracy,
    )


def _minded(report: Report) -> str:
    """Which changes of an image the teacher minds; nothing where it was not asked."""
    from db3kd.report import pictures

    scores = () if report.asking is None else report.asking.transforms
    return pictures.transform_chart(scores) if any(score.asked for score in scores) else ""


def _confusion(report: Report) -> str:
    """Where the run's own student decides otherwise than the teacher."""
    from db3kd.report import pictures

    counts = () if report.student is None else report.student.confusion
    return pictures.confusion_map(counts, report.class_names) if counts else ""


def _view(number: int, found: DistanceFigures, class_names: tuple[str, ...]) -> dict[str, object]:
    """One search as the page shows it."""
    # Only `render` calls this, after it has seen that matplotlib is there.
    from db3kd.report import pictures

    median, spent, medians = found.median_distance, found.mean_queries_per_pair, found.median_by_classes
    known = any(value is not None for row in medians for value in row)
    return {
        "heading": tables.STUDENT_LABELS.get(found.method, found.method),
        "figures": (
            (f"{found.pairs:,}", "pairs of an image and a goal"),
            (tables.UNKNOWN if median is None else f"{median:.3g}", "median distance"),
            (tables.UNKNOWN if spent is None else f"{spent:,.1f}", "queries per pair, mean"),
        ),
        "outcomes": tables.outcome_table(found),
        "heat_map": pictures.distance_heat_map(medians, class_names, name=f"distances-{number}") if known else "",
        "histogram": pictures.distance_histogram(found.histogram, median, name=f"histogram-{number}")
        if found.histogram
        else "",
    }
