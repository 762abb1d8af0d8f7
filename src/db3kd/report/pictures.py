"""The charts of a report, as SVG text that lives inside a page.

Drawn with matplotlib's object API, so no window and no pyplot state is involved. Ink is `currentColor`: a chart takes
the text colour of the page around it, light or dark. Each chart of a page has a name, which tells its marks from those
of the others. Single images are in `examples`; `page` decides which charts there are.
"""

import io
import math
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from xml.sax.saxutils import quoteattr

import matplotlib
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.collections import QuadMesh
from matplotlib.colors import to_hex
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure

from db3kd.evaluation import Calibration, Point, TransformScore, interval
from db3kd.report.colors import ACCENT, INKED, MUTED, SECOND, text_on
from db3kd.report.distances import Histogram
from db3kd.report.schema import Report
from db3kd.report.tables import UNKNOWN, class_label, percent, student_label

INK = "#010203"  # matplotlib knows no currentColor: a colour nothing else uses stands in for it
FEW_CLASSES = 14
"""Up to here each cell of the heat map can hold its figure; beyond, a colour bar takes over."""
MANY_CLASSES = 25
"""Beyond here only every n-th class is named on an axis."""
LONGEST_NAME = 16


def distance_heat_map(
    medians: Sequence[Sequence[float | None]], class_names: tuple[str, ...], *, name: str = "distances"
) -> str:
    """Draw the median distance of each pair of classes; the nearer, the darker, and unknown pairs stay empty."""
    values = [[math.nan if value is None else value for value in row] for row in medians]
    about = ("class reached", "the teacher's class of the image", "median distance (L2)")
    drawn = _class_map(values, class_names, about, colors="YlGnBu_r", name=name)
    return _element(drawn, f"Median distance for each pair of classes, {len(medians)} by {len(medians)}")


def confusion_map(counts: Sequence[Sequence[int]], class_names: tuple[str, ...]) -> str:
    """Draw how the images of each class of the teacher are shared out by the student, in per cent."""
    values = [[100 * count / sum(row) if any(row) else math.nan for count in row] for row in counts]
    about = ("the student's class", "the teacher's class", "% of the teacher's class")
    drawn = _class_map(values, class_names, about, colors="YlGnBu", name="confusion")
    return _element(drawn, f"Where the student decides otherwise than the teacher, {len(counts)} classes")


def agreement_chart(
    points: Sequence[Point],
    *,
    after_1000_more: float | None = None,
    student: Point | None = None,
    accuracy: float | None = None,
    name: str = "agreement",
) -> str:
    """Draw how good the committee is after each round, with intervals, and the student after all questions, as an svg.

    `after_1000_more` is an extrapolation, `accuracy` the student's on held-out images; None where nobody can say.
    """
    with _chart(name, 4.8, 3.3) as (figure, axes, drawn):
        shown: list[Artist | tuple[Artist, ...]] = [
            _draw_points(axes, points, "o-", ACCENT, "committee, agreement on answers set aside")
        ]
        if after_1000_more is not None:
            last, told = points[-1], "the same after 1,000 more questions, by extrapolation"
            ahead = ((last.queries, last.queries + 1000), (100 * last.agreement, 100 * after_1000_more))
            shown += axes.plot(*ahead, "o:", color=ACCENT, mfc="none", markevery=[1], linewidth=1.2, label=told)
        if student is not None:
            shown.append(_draw_points(axes, [student], "D", SECOND, "student, agreement on answers set aside"))
        if accuracy is not None:
            place, told = (student or points[-1]).queries, "student, accuracy on held-out images"
            shown += axes.plot(place, 100 * accuracy, "D", color=SECOND, mfc="none", label=told)
        axes.set_xlabel("questions")
        axes.set_ylabel("%")
        axes.set_xlim(left=0)
        figure.legend(handles=shown, loc="outside upper left", frameon=False)
    return _element(drawn, "Agreement of committee and student over the questions")


def _draw_points(axes: Axes, points: Sequence[Point], style: str, color: str, label: str) -> ErrorbarContainer:
    """Draw shares with their intervals."""
    questions, shares = [point.queries for point in points], [point.agreement for point in points]
    reach = _reach(shares, [(point.lower, point.upper) for point in points])
    percents = [100 * share for share in shares]
    return axes.errorbar(questions, percents, reach, fmt=style, color=color, capsize=3, lw=1.2, label=label)


def _reach(shares: Sequence[float], limits: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
    """Tell how far intervals reach below and above their shares, in per cent; what is kept may be a hair too short."""
    found = list(zip(shares, limits, strict=True))
    below = [100 * max(0.0, share - low) for share, (low, _) in found]
    return below, [100 * max(0.0, high - share) for share, (_, high) in found]


def _class_map(
    values: Sequence[Sequence[float]],
    class_names: tuple[str, ...],
    about: tuple[str, str, str],
    *,
    colors: str,
    name: str,
) -> io.StringIO:
    """Draw a figure for each pair of classes; `about` is what is across, what is down, and what the figures are."""
    count = len(values)
    few = count <= FEW_CLASSES
    with _chart(name, 5.2 if few else 7.2, 4.7 if few else 5.8) as (figure, axes, drawn):
        # One vector cell per pair is heavy beyond a few classes.
        mesh = axes.pcolormesh(values, cmap=colors, edgecolors="none", rasterized=not few)
        axes.invert_yaxis()
        axes.set_aspect("equal")
        axes.set_xlabel(about[0])
        axes.set_ylabel(about[1])
        step = math.ceil(count / MANY_CLASSES) if count else 1
        labels = [_short(class_label(class_names, number)) for number in range(0, count, step)]
        places = [number + 0.5 for number in range(0, count, step)]
        turned = max((len(label) for label in labels), default=0) > 3
        angle, side = (45, "right") if turned else (0, "center")
        axes.set_xticks(places, labels, rotation=angle, ha=side, parse_math=False)
        axes.set_yticks(places, labels, parse_math=False)
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        if few:
            _write_cells(axes, values, mesh)
        else:
            bar = figure.colorbar(mesh, ax=axes, label=about[2], shrink=0.8)
            if bar.solids is not None:
                bar.solids.set_rasterized(True)
            bar.outline.set_visible(False)
    return drawn


def distance_histogram(histogram: Histogram, median: float | None, *, name: str = "histogram") -> str:
    """Draw how the distances are spread, with a line at their median."""
    with _chart(name, 4.2, 3.0) as (_, axes, drawn):
        axes.stairs(histogram.counts, histogram.edges, fill=True, color=ACCENT, alpha=0.85)
        axes.set_xlabel("distance (L2, input units)")
        axes.set_ylabel("pairs")
        axes.margins(x=0)
        axes.set_ylim(0, 1.15 * max(1, *histogram.counts))
        if median is not None:
            axes.axvline(median, color=INK, linewidth=1.5)
            right = median > (histogram.edges[0] + histogram.edges[-1]) / 2
            axes.annotate(
                f"median {median:.3g}",
                (median, 1.0),
                xycoords=("data", "axes fraction"),
                xytext=(-5 if right else 5, 0),
                textcoords="offset points",
                va="top",
                ha="right" if right else "left",
            )
    return _element(drawn, f"Histogram of {sum(histogram.counts)} distances")


def reliability_diagram(calibration: Calibration, *, name: str = "reliability") -> str:
    """Draw the share of right decisions over confidence.

    Bars are the share of right decisions in a bin, pale where its images are few; its dot is the mean confidence. On
    the diagonal a student is as right as it claims.
    """
    filled = [part for part in calibration.bins if part.images and part.correct is not None]
    images = sum(part.images for part in filled)
    with _chart(name, 2.7, 2.6) as (_, axes, drawn):
        axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle="--")
        for part in filled:
            shade = 0.3 + 0.6 * min(1.0, part.images / images * len(calibration.bins))
            correct, width = part.correct or 0.0, part.upper - part.lower
            axes.bar(
                part.lower, correct, width, align="edge", facecolor=(ACCENT, shade), edgecolor=ACCENT, linewidth=0.8
            )
            if part.confidence is not None:
                axes.plot(
                    part.confidence, correct, marker="o", markersize=4, color=SECOND, mec=INK, mew=0.6, clip_on=False
                )
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1)
        axes.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
        axes.set_yticks([0, 0.5, 1], ["0", "0.5", "1"])
        axes.set_xlabel("confidence")
        axes.set_ylabel("right" if calibration.against == "labels" else "as the teacher")
    return _element(drawn, f"Reliability, calibration error {percent(calibration.error)}")


def accuracy_chart(report: Report) -> str:
    """Draw each student's accuracy and agreement on one scale, with a line at the teacher's accuracy."""
    students = [student for student in report.students if student.accuracy is not None or student.agreement is not None]
    with _chart("accuracies", 4.8, 0.8 + 0.38 * len(students)) as (_, axes, drawn):
        for row, student in enumerate(students):
            axes.axhline(row, color=MUTED, linewidth=0.5, alpha=0.4, zorder=0)
            # Above its line, so that the picture is narrow enough for a phone.
            place: dict[str, Any] = {"xycoords": axes.get_yaxis_transform(), "textcoords": "offset points"}
            axes.annotate(student_label(student), (0, row), (0, 7), parse_math=False, **place)
            if student.accuracy is not None:
                axes.plot(student.accuracy * 100, row, marker="o", markersize=6, color=ACCENT)
            if student.agreement is not None:
                # Wider, so that it is seen around an accuracy at the same place.
                axes.plot(student.agreement * 100, row, marker="o", markersize=9, mfc="none", mew=1.4, color=SECOND)
        if report.teacher.accuracy is not None:
            axes.axvline(report.teacher.accuracy * 100, color=MUTED, linestyle="--", linewidth=1)
        axes.set_yticks([])
        axes.set_ylim(len(students) - 0.7, -0.7)
        axes.spines["left"].set_visible(False)
        axes.set_xlabel("% of the evaluation images")
    return _element(drawn, "Accuracy and agreement of each student")


def transform_chart(scores: Sequence[TransformScore]) -> str:
    """Draw how often the teacher's decision stayed when an image was changed, with intervals of 95%."""
    asked = [score for score in scores if score.asked]
    with _chart("transforms", 4.8, 0.8 + 0.3 * len(asked)) as (_, axes, drawn):
        shares = [score.stayed / score.asked for score in asked]
        limits = [interval(share, score.asked) for share, score in zip(shares, asked, strict=True)]
        rows, stayed = range(len(asked)), [100 * share for share in shares]
        axes.barh(rows, stayed, height=0.6, color=ACCENT, alpha=0.35)
        axes.errorbar(stayed, rows, xerr=_reach(shares, limits), fmt="o", color=ACCENT)
        axes.set_yticks(rows, [score.transform for score in asked])
        axes.set_ylim(len(asked) - 0.4, -0.6)
        axes.set_xlim(0, 102)
        axes.set_xlabel("% of the decisions stayed")
    return _element(drawn, "How often the teacher's decision stayed, for each transform")


def _element(drawn: io.StringIO, description: str) -> str:
    """The svg element alone, described for readers who cannot see it, to stand among others in a page.

    A page's parser knows SVG by itself, so the name spaces go, and with them the only addresses in the page. Groups are
    numbered alike in every chart, and an id may occur once: theirs go, those of marks and clips stay. Fonts and the
    style of lines are the page's, which a rule for every element would change all over.
    """
    text = drawn.getvalue()
    text = text[text.index("<svg") :].replace("xlink:href", "href").replace(INK, "currentColor")
    unwanted = r' xmlns(:xlink)?="[^"]*"|(?<=<g) id="[^"]*"|<style.*?</style>|font-family: [^;"]*;? ?'
    text = re.sub(unwanted, "", text, flags=re.DOTALL)
    return text.replace("<svg", f'<svg role="img" aria-label={quoteattr(description)}', 1).strip()


@contextmanager
def _chart(name: str, width: float, height: float) -> Iterator[tuple[Figure, Axes, io.StringIO]]:
    """A figure with one pair of axes, drawn when the block ends."""
    style: dict[Any, Any] = {  # a newer matplotlib knows its keys as types, an older one as text
        "svg.fonttype": "none",  # text stays text: small, sharp and selectable
        "svg.hashsalt": name,  # the same figures give the same bytes, and ids differ between charts
        "font.size": 9,
        "axes.spines.top": False,
        "axes.spines.right": False,
        **dict.fromkeys(INKED, INK),
    }
    with matplotlib.rc_context(style):
        figure = Figure(figsize=(width, height), layout="constrained", facecolor="none")
        FigureCanvasSVG(figure)
        axes = figure.add_subplot(facecolor="none")
        drawn = io.StringIO()
        yield figure, axes, drawn
        figure.savefig(drawn, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))


def _write_cells(axes: Axes, values: Sequence[Sequence[float]], mesh: QuadMesh) -> None:
    known = [value for row in values for value in row if not math.isnan(value)]
    high = max(known, default=1.0)
    # Three figures of the largest one; the same number of decimals in each cell.
    decimals = min(4, max(0, 2 - math.floor(math.log10(high)))) if high > 0 else 0
    for row, line in enumerate(values):
        for column, value in enumerate(line):
            if math.isnan(value):
                text, colour = UNKNOWN if row == column else "", INK
            else:
                ground = to_hex(mesh.to_rgba(np.array([value]))[0])
                text, colour = f"{value:.{decimals}f}", text_on(ground)
            axes.text(column + 0.5, row + 0.5, text, ha="center", va="center", color=colour, fontsize=7.5)


def _short(label: str) -> str:
    return label if len(label) <= LONGEST_NAME else label[: LONGEST_NAME - 1] + "…"
