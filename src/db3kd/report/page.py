"""The report as one HTML page that needs nothing but itself.

Chooses what is shown and in which order; the words and the looks are in `page.html.j2`, the columns in `tables`,
the charts in `pictures` and `examples`. Called by the end of a run and by `db3kd report`, which write the text.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

from db3kd.errors import InputError
from db3kd.report import making, tables
from db3kd.report.examples import Example, draw
from db3kd.report.schema import Report
from db3kd.report.searches import Labelling


@dataclass(frozen=True)
class _LabellingView:
    """One search as the page shows it."""

    heading: str
    figures: tuple[tuple[str, str], ...]
    outcomes: tables.Table
    heat_map: str
    histogram: str


@dataclass(frozen=True)
class _CalibrationView:
    """One reliability diagram with its caption."""

    chart: str
    label: str
    error: str


def render(report: Report, examples: Sequence[Example] = (), *, strips: bytes = b"") -> str:
    """Make the page.

    Args:
        report: the figures.
        examples: pairs to look at; each adds three small pictures, so a dozen is plenty.
        strips: made images of each class, as a PNG file, or nothing.

    Returns:
        HTML with its style and pictures inside; no script and no address. Equal input gives equal text.

    Raises:
        InputError: jinja2 or matplotlib is not installed.
    """
    try:
        # Here and not above: the extra is optional, and matplotlib takes half a second that a plain command need not.
        import jinja2

        from db3kd.report import pictures
    except ImportError as error:
        raise InputError(
            f"the HTML report needs jinja2 and matplotlib, but {error.name or error} is missing; no page was made: "
            "install them with pip install 'db3kd[report]' and ask for the report again"
        ) from error
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
        tiles=_tiles(report),
        students=tables.student_table(report),
        trainings=tables.training_table(report),
        accuracies=pictures.accuracy_chart(report) if shown else "",
        queries=tables.query_table(report),
        primers=tables.primer_table(report),
        synthesis=making.synthesis_table(report.synthesis, report.class_names),
        missing=making.synthesis_notes(report.synthesis, report.class_names),
        steps=making.step_table(report.synthesis),
        trust=making.trust_notes(report.exploration, report.class_names),
        answers=making.answer_table(report.exploration, report.class_names),
        kinds=making.kind_table(report.exploration),
        gains=making.gain_table(report.exploration),
        strips="data:image/png;base64," + base64.b64encode(strips).decode("ascii") if strips else "",
        labellings=[_view(number, search, report.class_names) for number, search in enumerate(report.labellings)],
        examples=[draw(example) for example in examples],
        classes=tables.class_table(report),
        calibrations=[
            _CalibrationView(
                chart=pictures.reliability_diagram(student.calibration, name=f"reliability-{number}"),
                label=tables.student_label(student),
                error=tables.percent(student.calibration.expected_calibration_error),
            )
            for number, student in enumerate(report.students)
            if student.calibration is not None and student.calibration.bins
        ],
        settings=tables.setting_table(report),
    )


def _tiles(report: Report) -> tuple[tuple[str, str], ...]:
    """The figures on top of the page, each with what it is."""
    tiles = [
        (tables.percent(report.teacher.accuracy), "accuracy of the teacher"),
        (f"{report.queries.total:,}", "queries charged to the budget"),
    ]
    if report.queries.held_out:
        tiles.append((f"{sum(report.queries.held_out.values()):,}", "held-out queries, outside the budget"))
    if report.seconds is not None:
        tiles.append((tables.duration(report.seconds), "wall time"))
    return tuple(tiles)


def _view(number: int, labelling: Labelling, class_names: tuple[str, ...]) -> _LabellingView:
    # Only `render` calls this, after it has seen that matplotlib is there.
    from db3kd.report import pictures

    median, spent = labelling.median_distance, labelling.mean_queries_per_pair
    known = any(value is not None for row in labelling.median_by_classes for value in row)
    return _LabellingView(
        heading=tables.STUDENT_LABELS.get(labelling.method, labelling.method),
        figures=(
            (f"{labelling.pairs:,}", "pairs of an image and a goal"),
            (tables.UNKNOWN if median is None else f"{median:.3g}", "median distance"),
            (tables.UNKNOWN if spent is None else f"{spent:,.1f}", "queries per pair, mean"),
        ),
        outcomes=tables.outcome_table(labelling),
        heat_map=pictures.distance_heat_map(labelling.median_by_classes, class_names, name=f"distances-{number}")
        if known
        else "",
        histogram=pictures.distance_histogram(labelling.histogram, median, name=f"histogram-{number}")
        if labelling.histogram
        else "",
    )
