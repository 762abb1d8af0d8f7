"""What a report holds, and its way to JSON and back.

The figures are computed elsewhere and only gathered here: accuracies are fractions of 1, distances are L2 in
input units, a query is one image row, and None means that a figure is unknown. Called by whoever ends a run,
and by everything that shows a report. Knows no tensor and no file.
"""

import json
from typing import Annotated, Final, Literal

from pydantic import BaseModel, Field, JsonValue, ValidationError, model_validator

from db3kd.errors import ArtifactError
from db3kd.report.exploration import Exploration
from db3kd.report.ranges import Count, Distance, Fraction
from db3kd.report.searches import Labelling, Primers

FORMAT_VERSION: Final = 1


class TeacherFigures(BaseModel, frozen=True, extra="forbid", allow_inf_nan=False):
    """What is known of the teacher.

    Args:
        accuracy: share of the evaluation images that it decides as their labels say.
        parameters: number of its weights; None for a teacher that is no network of ours.
        name: how it was named, such as its URI.
    """

    accuracy: Fraction | None = None
    parameters: Count | None = None
    name: str = ""


class CalibrationBin(BaseModel, frozen=True, extra="forbid", allow_inf_nan=False):
    """The evaluation images whose top probability lies between `lower` and `upper`.

    Args:
        lower: smallest top probability of the bin.
        upper: largest top probability of the bin.
        images: number of images in it.
        confidence: their mean top probability; None where there is no image.
        correct: share of them that is decided rightly; None where there is no image.
    """

    lower: Fraction
    upper: Fraction
    images: Count
    confidence: Fraction | None = None
    correct: Fraction | None = None


class Calibration(BaseModel, frozen=True, extra="forbid", allow_inf_nan=False):
    """How far a student's probabilities can be believed.

    Args:
        expected_calibration_error: mean of |correct - confidence| over the bins, weighted by their images.
        bins: in ascending order of confidence.
        against: what counts as right, the true labels or the teacher's decisions.
    """

    expected_calibration_error: Fraction
    bins: tuple[CalibrationBin, ...] = ()
    against: Literal["labels", "decisions"] = "labels"


class StudentFigures(BaseModel, frozen=True, extra="forbid", allow_inf_nan=False):
    """What one student reaches, and what it cost.

    Args:
        name: what it learned from: true-labels, hard-decisions, logits, sd, bd, mbd, guided or another name.
        accuracy: share of the evaluation images decided as labelled, after the last epoch; the mean over seeds.
        agreement: share of the evaluation images that it decides as the teacher does.
        queries: rows that its labels cost, with all that they were built on.
        parameters: number of its weights.
        label: how tables name it; where empty, the usual name of `name`.
        images: number of images that it was trained on.
        seeds: the seeds of its trainings.
        accuracy_by_seed: an accuracy for each of `seeds`, or empty.
        per_class: its accuracy on each class; None for a class without evaluation images.
        calibration: how far its probabilities can be believed.
        last_loss: training loss of the last epoch.

    Raises:
        ValidationError: a value out of its range, or not one accuracy per seed.
    """

    name: Annotated[str, Field(min_length=1)]
    accuracy: Fraction | None = None
    agreement: Fraction | None = None
    queries: Count | None = None
    parameters: Count | None = None
    label: str = ""
    images: Count | None = None
    seeds: tuple[int, ...] = ()
    accuracy_by_seed: tuple[Fraction, ...] = ()
    per_class: tuple[Fraction | None, ...] = ()
    calibration: Calibration | None = None
    last_loss: float | None = None

    @model_validator(mode="after")
    def _one_accuracy_per_seed(self) -> "StudentFigures":
        if self.accuracy_by_seed and len(self.accuracy_by_seed) != len(self.seeds):
            raise ValueError(f"{len(self.accuracy_by_seed)} accuracies for {len(self.seeds)} seeds")
        return self


class Queries(BaseModel, frozen=True, extra="forbid", allow_inf_nan=False):
    """The account of queries.

    Args:
        total: rows charged to the budget, all stages together.
        by_stage: rows charged to the budget by each stage.
        held_out: rows by each stage outside the budget, such as an evaluation; not in `total`.
        unsettled: the part of `total` that was set aside and is not known to have been sent, after a crash.
        repeated: images that were asked a second time, to see whether the teacher is constant; None where none was.
        changed: how many of them got another answer.

    Raises:
        ValidationError: stages that do not add up to the total, or more changed answers than there were.
    """

    total: Count
    by_stage: dict[str, Count] = {}
    held_out: dict[str, Count] = {}
    unsettled: Count = 0
    repeated: Count | None = None
    changed: Count = 0

    @model_validator(mode="after")
    def _stages_add_up(self) -> "Queries":
        if self.changed > (self.repeated or 0):
            raise ValueError(f"{self.changed} answers changed, of {self.repeated or 0} that were asked a second time")
        charged = sum(self.by_stage.values())
        if self.by_stage and charged != self.total:
            raise ValueError(f"the stages add up to {charged}, and the total is {self.total}")
        return self


class Synthesis(BaseModel, frozen=True, extra="forbid", allow_inf_nan=False):
    """How images were made out of nothing.

    Args:
        method: repulsion, or another way.
        images: how many were kept.
        images_by_class: how many of each class, as the teacher decides.
        noise_by_class: how many images of noise the teacher put in each class.
        starts_by_class: how many of them were taken further.
        missing: the classes that no image was made of.
        queries: rows asked by each part of it; all that the images and their classes cost.
        distances: mean distance to the nearest boundary that was found at each step, before the push, over the images
            of which one was found; None where there is none.
        pushes: mean length of the push at each step, after clipping to the bounds.

    Raises:
        ValidationError: figures per class or per step that do not fit each other.
    """

    method: Annotated[str, Field(min_length=1)]
    images: Count
    images_by_class: tuple[Count, ...]
    noise_by_class: tuple[Count, ...] = ()
    starts_by_class: tuple[Count, ...] = ()
    missing: tuple[Count, ...] = ()
    queries: dict[str, Count] = {}
    distances: tuple[Distance | None, ...] = ()
    pushes: tuple[Distance, ...] = ()

    @model_validator(mode="after")
    def _figures_fit(self) -> "Synthesis":
        classes = {len(self.images_by_class), len(self.noise_by_class), len(self.starts_by_class)} - {0}
        if len(classes) > 1 or sum(self.images_by_class) != self.images:
            raise ValueError(f"figures of {sorted(classes)} classes, and {self.images} images in all")
        if len(self.distances) != len(self.pushes):
            raise ValueError(f"distances of {len(self.distances)} steps and pushes of {len(self.pushes)}")
        return self


class Report(BaseModel, frozen=True, extra="forbid", allow_inf_nan=False):
    """All figures of one run.

    Args:
        title: heading of the page.
        db3kd_version: the version that computed the figures.
        teacher: the teacher's figures.
        students: in the order in which tables show them.
        queries: the account.
        seconds: wall time of the run, all its sessions together.
        class_names: one per class, or empty where unknown.
        labellings: one per search.
        primers: what guided the search, if anything did.
        synthesis: how the images were made, where there were none.
        exploration: how the teacher was explored, where it was asked about made images alone.
        settings: the plan, or whatever a reader needs to do it again.
        notes: sentences shown on top of the page.
        format_version: of the file.

    Raises:
        ValidationError: a value out of its range, or figures per class that do not fit the class names.
    """

    title: str
    db3kd_version: str
    teacher: TeacherFigures
    students: tuple[StudentFigures, ...]
    queries: Queries
    seconds: Annotated[float, Field(ge=0)] | None = None
    class_names: tuple[str, ...] = ()
    labellings: tuple[Labelling, ...] = ()
    primers: Primers | None = None
    synthesis: Synthesis | None = None
    exploration: Exploration | None = None
    settings: dict[str, JsonValue] = {}
    notes: tuple[str, ...] = ()
    format_version: Literal[1] = FORMAT_VERSION

    @model_validator(mode="after")
    def _classes_fit(self) -> "Report":
        sizes = {f"per_class of {student.name}": len(student.per_class) for student in self.students}
        if self.exploration is not None:
            sizes["class_histogram"] = len(self.exploration.class_histogram)
        sizes |= {f"median_by_classes of {search.method}": len(search.median_by_classes) for search in self.labellings}
        expected = len(self.class_names) or max(sizes.values(), default=0)
        wrong = [f"{place} has {size}" for place, size in sizes.items() if size not in (0, expected)]
        if wrong:
            raise ValueError(f"expected {expected} classes everywhere, but " + "; ".join(wrong))
        return self


def to_json(report: Report) -> str:
    """Write a report as JSON.

    Args:
        report: the figures.

    Returns:
        Indented text that ends in a newline, with a row of figures on one line. Keys
        come in the order of the fields, free ones (stages, settings) as they were given, so equal reports built in
        the same way give equal text.
    """
    return _text(report.model_dump(mode="json"), "") + "\n"


def from_json(text: str) -> Report:
    """Read a report.

    Args:
        text: what `to_json` wrote.

    Returns:
        The report.

    Raises:
        ArtifactError: the text is no JSON, of another format version, or says something impossible.
    """
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
