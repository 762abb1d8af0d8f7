"""What a synthesis leaves in its run: images whose classes were bought, and the figures of how they came about.

`db3kd label` in the same run finds the decisions and pays for none again; `run:DIR` names the images to any command.
Every way of synthesizing keeps its images by `keep`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from db3kd.data import Dataset
from db3kd.errors import InputError, RunError, RunMismatch
from db3kd.pipeline.asking import keep_decisions
from db3kd.report.schema import Synthesis
from db3kd.runs import Run
from db3kd.teachers import Teacher, TeacherSpec
from db3kd.tensorfile import pack, unpack
from db3kd.tensors import Int, Tensor

IMAGES = "images.safetensors"
FIGURES = "synthesis.json"
PICTURE = "synthesis.png"
_KIND = "db3kd-images-1"


@dataclass(frozen=True, eq=False)
class Synthesized:
    """Images made out of nothing, with what the teacher says of them.

    Args:
        images: with ids, without labels.
        decisions: the teacher's class of each of them.
        figures: how they came about.
    """

    images: Dataset
    decisions: Int[Tensor, " n"]
    figures: Synthesis


def check_makeable(spec: TeacherSpec) -> None:
    """Refuse a teacher for which no images can be made, before a query is spent on it.

    Args:
        spec: of the teacher.

    Raises:
        InputError: its bounds are not those of images, or it may decline to decide.
    """
    if spec.bounds != (0.0, 1.0):
        raise InputError(
            f"images are made in [0, 1], and the teacher's bounds are {spec.bounds}; nothing was asked: let a callable "
            "rescale its images itself, with the bounds 0, 1"
        )
    if spec.abstains:
        raise InputError(
            "this teacher may decline to decide, and images are made by what it decides; nothing was asked: leave "
            "teacher.abstentions out, with one more class for them, or begin with images"
        )


def keep(run: Run, teacher: Teacher, made: Synthesized, provenance: Mapping[str, str]) -> None:
    """Keep synthesized images, and their decisions where labelling looks for them.

    Args:
        run: keeps them.
        teacher: decided.
        made: images, decisions and figures.
        provenance: how they came about, to tell whether another time the same is asked for.

    Raises:
        RunMismatch: the run holds decisions of other images.
    """
    keep_decisions(run, teacher, made.images, made.decisions)
    run.put(FIGURES, (made.figures.model_dump_json(indent=2) + "\n").encode())
    about = {
        "name": made.images.name,
        "ids": json.dumps(made.images.ids),
        "class_names": json.dumps(made.images.class_names),
        "provenance": json.dumps(dict(provenance), sort_keys=True),
    }
    # Last: where these are, the stage is done.
    run.put(IMAGES, pack({"pixels": made.images.pixels, "decisions": made.decisions}, about, kind=_KIND))


def kept_synthesis(run: Run, provenance: Mapping[str, str] | None = None) -> Synthesized | None:
    """Read what a synthesis left; None where none is finished.

    Args:
        run: where it is.
        provenance: how they must have come about; None for any way.

    Returns:
        Images, decisions and figures.

    Raises:
        ArtifactError: a file was edited or truncated.
        RunMismatch: they came about in another way; what differs is named.
    """
    data, figures = run.get(IMAGES), run.get(FIGURES)
    if data is None or figures is None:
        return None
    way_out = "delete it and run again: it is put together again from the finished shards, at no query"
    tensors, about = unpack(data, kind=_KIND, origin=str(run.folder / IMAGES), way_out=way_out)
    came_about = json.loads(about["provenance"])
    differing = [
        f"{name}: {came_about.get(name)!r} there, {asked!r} asked for"
        for name, asked in (provenance or {}).items()
        if came_about.get(name) != asked
    ]
    if differing:
        raise RunMismatch(
            f"{run.folder / IMAGES} was synthesized in another way ({'; '.join(differing)}); nothing was changed or "
            "spent: ask for what it was, or use another run directory"
        )
    names = tuple(json.loads(about["class_names"]))
    images = Dataset(about["name"], tuple(json.loads(about["ids"])), tensors["pixels"], None, names)
    return Synthesized(images, tensors["decisions"], Synthesis.model_validate_json(figures))


def synthesized_images(run: Run) -> Dataset:
    """Read the images of a finished synthesis.

    Args:
        run: where they are.

    Returns:
        The images.

    Raises:
        ArtifactError: the file was edited or truncated.
        RunError: there is no finished synthesis.
    """
    made = kept_synthesis(run)
    if made is None:
        raise RunError(
            f"{run.folder} holds no synthesized images; nothing was asked: finish `db3kd synthesize --run "
            f"{run.folder}` first, or name other images"
        )
    return made.images


def kept_figures(run: Run) -> Synthesis | None:
    """Read how a run's images came about; None where they were not synthesized in it."""
    data = run.get(FIGURES) if run.has(IMAGES) else None
    return None if data is None else Synthesis.model_validate_json(data)
