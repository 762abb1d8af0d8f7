"""Draws accuracy against questions from files of benchmarks and reports: a panel a student, a line a method.

    python -m benchmarks.figure FILE... --out frontier.svg

A file is what `benchmarks.frontier` or `benchmarks.zero_shot` wrote, or the `report.json` of a demo, of which the
searches for distances are drawn. A line is the mean over seeds, its band reaches from the worst to the best of them.
The picture has a ground of its own, which is dark where its reader likes it so: an image in a page knows no other.
"""

import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from statistics import fmean
from typing import Annotated, Any

import matplotlib
import typer
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from benchmarks import command
from benchmarks.frontier import FrontierRow
from db3kd.errors import InputError
from db3kd.report.colors import DARK, INKED, LIGHT, MUTED
from db3kd.runs.files import write_atomically

COLORS = (
    "#2f81c7",
    "#c2691a",
    "#2d8a4b",
    "#d1495b",
    "#8f63c9",
    "#1f878e",
    "#99734d",
    "#c2559d",
    "#7a8420",
    "#757d87",
)
_MARKERS = "osD^vPXh<>"
# What was charged may differ a little between seeds: up to this factor it is one point.
_SAME = 1.05
# Ticks are further apart than the lesser, and than this part of the axis.
_APART, _PART = 1.4, 0.066
# What methods and students are called in the picture; what is not here is called by its name.
LABELS: Mapping[str, str] = {
    "default": "db3kd",
    "random": "random images, learned as by db3kd",
    "random-supervised": "random images, answers alone",
    "true-labels": "true labels",
    "copycat-cnn": "CopycatCNN, public attack",
    "knockoff-nets": "KnockoffNets, public attack",
    "bd": "paper: boundary distance (BD)",
    "mbd": "paper: minimal distance (MBD)",
    "guided": "guided search for distances",
    "active": "db3kd without any image",
    "lenet5": "LeNet5",
    "lenet5-half": "LeNet5-half",
    "lenet5-fifth": "LeNet5-fifth",
}
# Sample distances ask no more than answers alone do, and lie on their point.
_SEARCHES = ("bd", "mbd", "guided")
# Where its reader likes dark pages, ground and text change places; a viewer that knows no such rule shows light ones.
_DARK = "".join(
    f'[style*="{what}: {LIGHT[name]}"] {{{what}: {DARK[name]} !important}} '
    for what, name in (("fill", "paper"), ("fill", "ink"), ("stroke", "ink"))
)


@dataclass(frozen=True)
class Point:
    """What the seeds of a method reached at one number of questions; accuracies in %."""

    questions: float
    mean: float
    worst: float
    best: float


def read(files: Sequence[Path]) -> list[FrontierRow]:
    """Read measurements; where two files hold the same one, the later file counts.

    Raises:
        InputError: a file is none of those that are drawn, or there is no accuracy in any.
    """
    found = dict[tuple[object, ...], FrontierRow]()
    for number, file in enumerate(files):
        try:
            measured = list(_rows(json.loads(file.read_bytes()), number))
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise InputError(
                f"{file} must be a file that benchmarks.frontier --json or benchmarks.zero_shot --json wrote, or a "
                f"demo's report.json, and cannot be read as one ({error!r}); nothing was drawn: name others"
            ) from error
        found |= {(row.method, row.student, row.questions, row.seed): row for row in measured}
    known = [row for row in found.values() if row.accuracy is not None]
    if not known:
        raise InputError("the files hold no accuracy; nothing was drawn: measure on images that have labels")
    return known


def _rows(content: Any, number: int) -> Iterator[FrontierRow]:
    """Give the measurements of a file; one of `benchmarks.zero_shot` knows no seed, so its place stands for it."""
    if isinstance(content, list):
        names = [one.name for one in fields(FrontierRow)]
        yield from (FrontierRow(**{name: row[name] for name in names}) for row in content)
    elif "calls" in content:
        about, seconds = (content["method"], content["calls"]), content["seconds"]
        for one in content["students"]:
            yield FrontierRow(about[0], one["name"], about[1], number, one["accuracy"], one["agreement"], seconds)
    else:
        # A report names its student in its title alone.
        (student,) = re.findall(r"^(?:Demo: )?(\S+) from ", content["title"])
        for one in (one for one in content["students"] if one["name"] in _SEARCHES):
            for seed, accuracy in zip(one["seeds"], one["accuracy_by_seed"], strict=True):
                yield FrontierRow(one["name"], student, one["queries"], seed, accuracy, None, 0.0)


def points(rows: Sequence[FrontierRow]) -> tuple[Point, ...]:
    """Put the seeds of one method and student together."""
    return tuple(_point(group) for group in _groups(sorted(rows, key=lambda row: row.questions)))


def _groups(rows: Sequence[FrontierRow]) -> Iterator[list[FrontierRow]]:
    group: list[FrontierRow] = []
    for row in rows:
        if group and row.questions > _SAME * group[0].questions:
            yield group
            group = []
        group.append(row)
    yield group


def _point(rows: Sequence[FrontierRow]) -> Point:
    reached = [100 * row.accuracy for row in rows if row.accuracy is not None]
    return Point(fmean(row.questions for row in rows), fmean(reached), min(reached), max(reached))


def draw(rows: Sequence[FrontierRow], *, teacher: float | None = None, least: float | None = None) -> bytes:
    """Draw all measurements as an SVG.

    Args:
        rows: measurements with an accuracy; methods keep the order in which they come.
        teacher: its accuracy in %, for a line across.
        least: where the axis of accuracies begins, in %; None to begin below the least.

    Returns:
        The same bytes for the same measurements.
    """
    students = list(dict.fromkeys(row.student for row in rows))
    methods = list(dict.fromkeys(row.method for row in rows))
    style: dict[Any, Any] = {
        "svg.fonttype": "none",
        "font.family": "sans-serif",
        "font.size": 11,
        "axes.spines.top": False,
        "axes.spines.right": False,
        **dict.fromkeys(INKED, LIGHT["ink"]),
    }
    drawn = io.BytesIO()
    with matplotlib.rc_context(style):
        figure = Figure(figsize=(4.6 * max(len(students), 1.4), 5.6), layout="constrained", facecolor=LIGHT["paper"])
        FigureCanvasSVG(figure)
        panels = figure.subplots(1, len(students), sharey=True, squeeze=False)[0]
        for panel, student in zip(panels, students, strict=True):
            lines = {
                method: points(some)
                for method in methods
                if (some := [row for row in rows if (row.student, row.method) == (student, method)])
            }
            _draw_panel(panel, lines, methods, teacher)
            panel.set_title(f"students: {LABELS.get(student, student)}", parse_math=False)
        panels[0].set_ylabel("accuracy on held-out images, %")
        panels[0].set_ylim(bottom=least)
        marks = {mark.get_label(): mark for panel in panels for mark in panel.get_legend_handles_labels()[0]}
        figure.legend(
            marks.values(), marks.keys(), loc="outside lower center", ncols=2, frameon=False, columnspacing=1.2
        )
        unwanted = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(drawn, format="svg", metadata={**unwanted, "Title": "Accuracy against questions"})
    dark = b"@media (prefers-color-scheme: dark) {" + _DARK.encode() + b"} *{"
    return _numbered(drawn.getvalue().replace(b"*{", dark, 1))


def _numbered(picture: bytes) -> bytes:
    """Number the names of marks and frames: matplotlib's differ between drawings, or with a salt between processors."""
    for number, name in enumerate(re.findall(rb'id="([mp][0-9a-f]{10})"', picture)):
        picture = picture.replace(name, b"mark-%d" % number)
    return picture


def _draw_panel(
    panel: Axes, lines: Mapping[str, Sequence[Point]], methods: Sequence[str], teacher: float | None
) -> None:
    panel.set_facecolor("none")
    panel.set_xscale("log")
    for method, line in lines.items():
        place = methods.index(method)
        color, questions = COLORS[place % len(COLORS)], [point.questions for point in line]
        marker = _MARKERS[place % len(_MARKERS)]
        panel.plot(
            questions,
            [point.mean for point in line],
            color=color,
            marker=marker,
            markersize=7,
            label=LABELS.get(method, method),
        )
        low, high = [point.worst for point in line], [point.best for point in line]
        panel.fill_between(questions, low, high, color=color, alpha=0.2, linewidth=0)
        # A band of a single point has no width.
        panel.vlines(questions, low, high, color=color, linewidth=1)
    if teacher is not None:
        panel.axhline(teacher, color=MUTED, linestyle="--", linewidth=1, label="the teacher")
    asked = _ticks([point.questions for line in lines.values() for point in line])
    panel.set_xticks(asked, [f"{number:,}" for number in asked])
    panel.xaxis.set_minor_locator(NullLocator())
    panel.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    panel.grid(axis="y", color=MUTED, alpha=0.25, linewidth=0.5)
    panel.set_xlabel("questions (band: worst to best seed)")


def _ticks(questions: Sequence[float]) -> list[int]:
    """Name numbers of questions, the greatest of those that are too near to each other to be read."""
    named: list[int] = []
    apart = max(_APART, (max(questions) / min(questions)) ** _PART)
    for number in sorted(map(round, questions), reverse=True):
        if not named or number * apart < named[-1]:
            named.append(number)
    return named


def figure(
    *,
    files: Annotated[
        list[Path], typer.Argument(help="What `python -m benchmarks.frontier --json FILE` and others wrote.")
    ],
    out: Annotated[Path, typer.Option(help="The SVG to write.")],
    students: Annotated[str, typer.Option(help="Only these; all where none is named.")] = "",
    methods: Annotated[str, typer.Option(help="Only these, in this order; all where none is named.")] = "",
    teacher: Annotated[float | None, typer.Option(help="The teacher's accuracy in %, for a line across.")] = None,
    least: Annotated[float | None, typer.Option(help="Where the axis of accuracies begins, in %.")] = None,
) -> None:
    """Draw accuracy against questions, a line a method with a band over its seeds."""
    command.check_file(out)
    rows = read(files)
    if students:
        rows = [row for row in rows if row.student in command.listed(students)]
    if methods:
        rows = [row for method in command.listed(methods) for row in rows if row.method == method]
    if not rows:
        raise InputError(
            f"the files hold nothing of the students {students!r} and methods {methods!r}; nothing was drawn"
        )
    write_atomically(out, draw(rows, teacher=teacher, least=least))


if __name__ == "__main__":
    command.run(figure, "figure")
