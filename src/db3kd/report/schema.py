"""What a report holds, and its way to JSON and back.

The figures come from elsewhere and are only gathered here. Called by whoever ends a run, and by everything that shows
a report. Knows no tensor and no file.
"""

import json
from typing import Final, Literal

from pydantic import BaseModel, JsonValue, ValidationError, model_validator

from db3kd.data import Reading
from db3kd.errors import ArtifactError
from db3kd.evaluation.figures import Size
from db3kd.report.distances import DistanceFigures
from db3kd.report.figures import (
    TOGETHER,
    AskingFigures,
    CommitteeFigures,
    Queries,
    RepulsionFigures,
    StudentFigures,
    TeacherFigures,
)

FORMAT_VERSION: Final = 2


class Report(BaseModel, frozen=True, extra="forbid", allow_inf_nan=False):
    """All figures of one run.

    Args:
        title: title of the page.
        db3kd_version: version of db3kd that wrote it.
        teacher: what is known of the teacher.
        students: all students, in the order of the tables, with baselines and the committee beside the run's own.
        queries: what was charged.
        seconds: wall time of all sessions together.
        class_names: names of the classes, in the order of the class numbers, where they are known.
        asking: what was asked and answered; null in the demo's report, which has several students of different answers.
        committee: the networks that learned the answers, where there were some.
        distances: an entry for each search.
        repulsion: how noise was pushed, where it was.
        images: an entry for each set of pictures that was read.
        settings: the plan, or what else a reader needs to do it again.
        notes: sentences on top of the page.
        format_version: version of this form of file.
    """

    title: str
    db3kd_version: str
    teacher: TeacherFigures
    students: tuple[StudentFigures, ...]
    queries: Queries
    seconds: Size | None = None
    class_names: tuple[str, ...] = ()
    asking: AskingFigures | None = None
    committee: CommitteeFigures | None = None
    distances: tuple[DistanceFigures, ...] = ()
    repulsion: RepulsionFigures | None = None
    images: tuple[Reading, ...] = ()
    settings: dict[str, JsonValue] = {}
    notes: tuple[str, ...] = ()
    format_version: Literal[2] = FORMAT_VERSION

    @property
    def student(self) -> StudentFigures | None:
        """The run's own student: the last one, but for its committee, which may stand beside it."""
        return next((one for one in reversed(self.students) if one.name != TOGETHER), None)

    @model_validator(mode="after")
    def _classes_fit(self) -> "Report":
        sizes = {f"per_class of {student.name}": len(student.per_class) for student in self.students}
        if self.asking is not None:
            sizes["class_histogram"] = len(self.asking.class_histogram)
        if self.repulsion is not None:
            sizes["images_by_class"] = len(self.repulsion.images_by_class)
        sizes |= {f"median_by_classes of {search.method}": len(search.median_by_classes) for search in self.distances}
        expected = len(self.class_names) or max(sizes.values(), default=0)
        wrong = [f"{place} has {size}" for place, size in sizes.items() if size not in (0, expected)]
        if wrong:
            raise ValueError(f"expected {expected} classes everywhere, but " + "; ".join(wrong))
        return self


def to_json(report: Report) -> str:
    """Write a report as JSON, with a row of figures on one line; equal reports give equal text."""
    return _text(report.model_dump(mode="json"), "") + "\n"


def from_json(text: str) -> Report:
    """Read what `to_json` wrote; an ArtifactError says why it is no such text."""
    remedy = "nothing was shown; make the report again from its run"
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ArtifactError(f"expected a report in JSON, but it cannot be read ({error}): {remedy}") from error
    version = content.get("format_version") if isinstance(content, dict) else None
    if version != FORMAT_VERSION:
        raise ArtifactError(
            f"expected a report of format version {FORMAT_VERSION}, got "
            f"{'no version' if version is None else repr(version)}: {remedy}, or read it with the db3kd that wrote it"
        )
    try:
        return Report.model_validate_json(text, strict=True)
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(str(part) for part in fault['loc']) or 'the report'}: {fault['msg']}"
            for fault in error.errors(include_url=False)
        )
        raise ArtifactError(f"the report says something that cannot be ({faults}): {remedy}") from error


def _text(value: object, indent: str) -> str:
    """JSON with two spaces an indent, but plain lists on one line: a matrix of 100 classes has 10,000 entries."""
    inner = indent + "  "
    if isinstance(value, dict) and value:
        lines = [f"{inner}{_text(key, '')}: {_text(entry, inner)}" for key, entry in value.items()]
        return "{\n" + ",\n".join(lines) + f"\n{indent}}}"
    if isinstance(value, list) and any(isinstance(entry, (dict, list)) for entry in value):
        return "[\n" + ",\n".join(inner + _text(entry, inner) for entry in value) + f"\n{indent}]"
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
