"""The model card: what a student is and how far it is to be trusted, for whoever gets its files and nothing else."""

from collections.abc import Iterator

from db3kd.report.asking import asked_about
from db3kd.report.schema import Report
from db3kd.report.tables import class_label, percent, student_label


def model_card(report: Report, *, takes: str, parameters: int) -> str:
    """Write the card of a run's student as Markdown.

    Args:
        report: of the run.
        takes: what images its ONNX file takes.
        parameters: its number of weights.

    Returns:
        Markdown that loads nothing from elsewhere.
    """
    return "\n".join(
        [
            "# Model card",
            "",
            "A small classifier of images that copies another one, its teacher. The teacher told nothing but its "
            "decisions.",
            "",
            *_listed(report, takes=takes, parameters=parameters),
            "",
            "## How good it is",
            "",
            *_figures(report),
            "",
            "## What to know",
            "",
            "- It copies the teacher's mistakes. Agreement says how often both decide alike, not how often they are "
            "right.",
            "- The figures hold for images of the kind that it was measured on.",
            *_unknown_classes(report),
            "",
            "## Rights",
            "",
            "Not stated. Whoever passes this model on needs the right to copy the teacher, and to use the images. Say "
            "here who gave it, and under which licence the student may be used.",
            "",
            f"Made by db3kd {report.db3kd_version}.",
            "",
        ]
    )


def _listed(report: Report, *, takes: str, parameters: int) -> Iterator[str]:
    if report.teacher.name:
        yield f"- Teacher: `{report.teacher.name}`"
    if report.student is not None:
        yield f"- Learned from: {student_label(report.student)}"
    yield f"- Questions to the teacher: {report.queries.total:,}"
    if report.asking is not None:
        yield f"- Asked about: {asked_about(report.asking)}"
    yield f"- Weights: {parameters:,}"
    yield f"- The ONNX file takes: {takes}"
    if report.class_names:
        yield f"- Classes: {', '.join(report.class_names)}"


def _figures(report: Report) -> Iterator[str]:
    student = report.student
    held_out = student is not None and (student.accuracy is not None or student.agreement is not None)
    if student is not None and held_out:
        teacher = percent(report.teacher.accuracy)
        yield f"- Accuracy on held-out images: {percent(student.accuracy)} (the teacher: {teacher})"
        yield f"- Agreement with the teacher on held-out images: {percent(student.agreement)}"
    trust = None if report.asking is None else report.asking.trust
    if trust is not None and trust.images:
        yield (
            f"- Agreement on {trust.images:,} answers that no training saw: {percent(trust.agreement)}; 19 times of 20 "
            f"the true share is between {percent(trust.lower)} and {percent(trust.upper)}"
        )
    elif not held_out:
        yield "- Not measured: there were no held-out images, and no answers were set aside."


def _unknown_classes(report: Report) -> Iterator[str]:
    if report.asking is not None and report.asking.never_decided:
        names = ", ".join(class_label(report.class_names, number) for number in report.asking.never_decided)
        yield f"- No answer was of these classes, so that it does not know them: {names}."
