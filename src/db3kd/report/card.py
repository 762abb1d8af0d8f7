"""The model card: what a student is and how far it is to be trusted, for whoever gets its files and nothing else."""

from collections.abc import Iterator

from db3kd import __version__
from db3kd.report.asking import asked_about
from db3kd.report.schema import Report
from db3kd.report.tables import class_label, percent, student_label

_OF_A_RUN = (
    "A small classifier of images that copies another one, its teacher. The teacher told nothing but its decisions."
)
_OF_A_FILE = (
    "A small classifier of images. It comes from a file of weights, which does not say whom it copies, what it learned "
    "from, how many questions that took, and how good it is."
)


def model_card(
    report: Report | None, *, takes: str, parameters: int, class_names: tuple[str, ...] = (), measured: str = ""
) -> str:
    """Write the card of a student as Markdown, which loads nothing from elsewhere.

    A report without students is of a run that is not at its end; None is for weights without a run.
    """
    return "\n".join(
        [
            "# Model card",
            "",
            _OF_A_FILE if report is None else _OF_A_RUN,
            "",
            *(() if report is None else _origin(report)),
            f"- Weights: {parameters:,}",
            f"- The ONNX file takes: {takes}",
            *_classes((() if report is None else report.class_names) or class_names),
            "",
            "## How good it is",
            "",
            *_figures(report, measured),
            "",
            "## What to know",
            "",
            "- A student copies its teacher's mistakes. Agreement says how often both decide alike, not how often they "
            "are right.",
            "- The figures hold for images of the kind that it was measured on.",
            *(() if report is None else _unknown_classes(report)),
            "",
            "## Rights",
            "",
            "Not stated. Whoever passes this model on needs the right to copy the teacher, and to use the images. Say "
            "here who gave it, and under which licence the student may be used.",
            "",
            f"Made by db3kd {__version__ if report is None else report.db3kd_version}.",
            "",
        ]
    )


def _origin(report: Report) -> Iterator[str]:
    yield f"- Teacher: `{report.teacher.name}`" if report.teacher.name else "- Teacher: not named"
    if report.student is not None:
        yield f"- Learned from: {student_label(report.student)}"
    yield f"- Questions to the teacher: {report.queries.total:,}"
    if report.asking is not None:
        yield f"- Asked about: {asked_about(report.asking)}"


def _classes(names: tuple[str, ...]) -> Iterator[str]:
    yield f"- Classes: {', '.join(names) if names else 'by number, their names are not known'}"


def _figures(report: Report | None, measured: str) -> Iterator[str]:
    student = None if report is None else report.student
    held_out = student is not None and (student.accuracy is not None or student.agreement is not None)
    if report is not None and student is not None and held_out:
        teacher = percent(report.teacher.accuracy)
        yield f"- Accuracy on held-out images: {percent(student.accuracy)} (the teacher: {teacher})"
        yield f"- Agreement with the teacher on held-out images: {percent(student.agreement)}"
    trust = None if report is None or report.asking is None else report.asking.trust
    told = trust is not None and trust.images > 0
    if trust is not None and told:
        yield (
            f"- Agreement on {trust.images:,} answers that no training saw: {percent(trust.agreement)}; 19 times of 20 "
            f"the true share is between {percent(trust.lower)} and {percent(trust.upper)}"
        )
    if measured:
        yield f"- {measured}"
    if student is None:
        yield (
            "- The rest is not known, since no report of a run was at hand: bring the run to its end, and export the "
            "run."
        )
    elif not held_out and not told:
        yield "- Not measured: there were no held-out images, and no answers were set aside."


def _unknown_classes(report: Report) -> Iterator[str]:
    if report.asking is not None and report.asking.never_decided:
        names = ", ".join(class_label(report.class_names, number) for number in report.asking.never_decided)
        yield f"- No answer was of these classes, so that it does not know them: {names}."
