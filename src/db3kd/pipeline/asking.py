"""What the stages that ask have in common: images as the teacher sees them, and answers to and from their files."""

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import reduce

import torch

from db3kd.answers import Answers, Candidates
from db3kd.data import Dataset
from db3kd.errors import BudgetExhausted, InputError, InvalidDecision
from db3kd.runs import Kept, Key
from db3kd.runs.replay import Remembering
from db3kd.teachers import TeacherSpec
from db3kd.tensorfile import lines_of, text_of
from db3kd.tensors import Bool, Int, Tensor

_log = logging.getLogger(__name__)

ANSWERS = "db3kd-answers-2"
BYTE = 256
_BYTES_OF_A_STEP = 64 * 2**20
_SHOWN = 10


def as_seen(images: Dataset, spec: TeacherSpec) -> Dataset:
    """Give the images as the teacher sees them: on its levels, so that what is measured from is what was asked.

    Their labels become the teacher's numbers where both say what their classes are called.
    """
    images = _renumbered(images, spec.class_names)
    if spec.levels is None or (spec.levels == BYTE and images.pixels.dtype == torch.uint8):
        return images
    return replace(images, pixels=spec.admit(images.images()))


def _renumbered(images: Dataset, names: tuple[str, ...]) -> Dataset:
    """Number true labels as the teacher numbers its classes, by their names; where a name differs, they stay."""
    said = images.class_names
    if not said or not names or said == names:
        return images
    unknown = [name for name in said if name not in names]
    if unknown or len(set(names)) < len(names):
        if images.labels is not None and unknown:
            _log.warning(
                "%s has the class %r, and the teacher knows no such name (it knows %s): labels and decisions are "
                "compared by number",
                images.name,
                unknown[0],
                ", ".join(names[:_SHOWN]),
            )
        return images
    numbers = torch.tensor([names.index(name) for name in said], dtype=torch.int64)
    labels = None if images.labels is None else numbers[images.labels]
    return replace(images, labels=labels, class_names=names)


def class_names_of(spec: TeacherSpec, images: Dataset | None = None) -> tuple[str, ...]:
    """Give what the teacher's classes are called: by itself, or by images that name as many."""
    return spec.class_names or (() if images is None else images.class_names)


def teacher_key(spec: TeacherSpec) -> Key:
    """Say which teacher answers belong to."""
    return {"teacher": spec.fingerprint, "num_classes": spec.num_classes}


def ask(oracle: Remembering, candidates: Candidates) -> tuple[Int[Tensor, " b"], BudgetExhausted | None]:
    """Ask about candidates step by step; where the budget ends, the answers before are given with the reason."""
    spec, decided = oracle.spec, [torch.zeros(0, dtype=torch.int64)]
    bytes_of_a_batch = spec.max_batch * math.prod(spec.input_shape) * torch.float32.itemsize
    step = spec.max_batch * max(spec.service.in_flight, _BYTES_OF_A_STEP // bytes_of_a_batch)
    try:
        for rows in torch.arange(len(candidates)).split(step):
            decided += oracle.answers(spec.admit(candidates.images(rows)))
    except BudgetExhausted as error:
        return torch.cat(decided), error
    except InvalidDecision as error:
        raise _about_images(error, candidates, sum(map(len, decided))) from error.__cause__
    return torch.cat(decided), None


def _about_images(error: InvalidDecision, candidates: Candidates, before: int) -> InvalidDecision:
    """Name the images of the rows at fault, where they have names; so many were answered before the call."""
    names = [repr(name) for row in error.rows if candidates.ids and (name := candidates.ids[before + row])]
    if not names:
        return error
    more = f" and {len(names) - _SHOWN} others" * (len(names) > _SHOWN)
    return InvalidDecision(
        f"{error}; it was about {', '.join(names[:_SHOWN])}{more}, and each further try pays for the whole call again",
        rows=error.rows,
    )


def nothing_to_learn(answers: Answers, spec: TeacherSpec) -> InputError:
    """Say that no answer is a class that networks may learn."""
    names = (
        "see in the log what it answers, and list its class_names letter for letter, or " if spec.class_names else ""
    )
    return InputError(
        f"the teacher gave none of {len(answers):,} images a class, so there is nothing to learn; the answers are "
        f"kept: {names}give images of the kind that it knows, in another run directory"
    )


def answered(
    candidates: Candidates, decisions: Int[Tensor, " b"], before: Answers, aside: Bool[Tensor, " n"] | None = None
) -> Answers:
    """Make answers of candidates and decisions; those without an id get one from their place in the run."""
    count = len(decisions)
    some = candidates.first(count)
    images = Dataset(before.images.name, some.named(len(before)), some.pixels, some.labels, before.images.class_names)
    marks = torch.zeros(count, dtype=torch.bool) if aside is None else aside[:count]
    return Answers(images, decisions, some.origins, before.num_classes, marks)


def to_kept(answers: Answers, about: Mapping[str, str], *, last: bool = False, whole: bool = True) -> Kept:
    """Turn answers into a part of a run."""
    tensors = {
        "pixels": answers.images.pixels,
        "decisions": answers.decisions,
        "aside": answers.aside,
        "ids": text_of(answers.images.ids),
        "origins": answers.coded.codes,
    }
    if answers.images.labels is not None:
        tensors["true_labels"] = answers.images.labels
    names = {"origin_names": "\n".join(answers.coded.names), "class_names": "\n".join(answers.images.class_names)}
    sizes = {"name": answers.images.name, "num_classes": str(answers.num_classes)}
    return Kept(tensors, {**about, **names, **sizes}, last=last, whole=whole)


def from_kept(kept: Kept) -> Answers:
    """Read answers back."""
    tensors, about = kept.tensors, kept.about
    origins = tuple(about["origin_names"].split("\n"))
    images = Dataset(
        about["name"],
        lines_of(tensors["ids"]),
        tensors["pixels"],
        tensors.get("true_labels"),
        tuple(name for name in about["class_names"].split("\n") if name),
    )
    return Answers(
        images,
        tensors["decisions"],
        tuple(origins[code] for code in tensors["origins"].tolist()),
        int(about["num_classes"]),
        tensors["aside"],
    )


def all_of(parts: Sequence[Kept], none: Answers) -> Answers:
    """Put the answers of several parts together."""
    return reduce(Answers.joined, map(from_kept, parts), none)
