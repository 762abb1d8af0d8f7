"""The work of `db3kd train`."""

from collections.abc import Mapping
from pathlib import Path

from db3kd.cli.display import print_json, print_pairs, remark, showing
from db3kd.data import Dataset, load
from db3kd.errors import DataError
from db3kd.models import build
from db3kd.pipeline.supervised import Trained, train_on_labels
from db3kd.plan import parse_sections
from db3kd.plan.opening import open_train_recipe
from db3kd.report.tables import duration, percent
from db3kd.runs import Run


def train_network(folder: Path, asked: Mapping[str, object], *, device: str, as_json: bool) -> None:
    """Train a network on true labels and tell its accuracy.

    Args:
        folder: of the run.
        asked: keys of the section `train`.
        device: where it learns.
        as_json: print JSON.
    """
    sections = parse_sections({"train": asked}, "what the options say")
    section = sections.train
    assert section is not None
    recipe = open_train_recipe(section)
    images = load(section.data, "train", limit=section.limit, seed=section.seed)
    test = _test_split(section.data)
    # Built and dropped: a run must not be bound to a network that cannot be built.
    build(section.architecture, images.image_shape, 2)
    with Run(folder) as run, showing() as stages:
        run.adopt(sections.sections())
        trained = train_on_labels(
            run,
            images,
            test,
            architecture=section.architecture,
            recipe=recipe,
            seed=section.seed,
            device=device,
            progress=stages,
        )
    _show(trained, as_json=as_json)


def _test_split(source: str) -> Dataset | None:
    try:
        return load(source, "test")
    except DataError as error:
        # A named set has its test split, and one that cannot be read is an error; a user's own folder may have none.
        if ":" not in source:
            raise
        remark(f"the accuracy is not measured: {error}")
        return None


def _show(trained: Trained, *, as_json: bool) -> None:
    if as_json:
        print_json(trained.figures())
        return
    print_pairs(
        {
            "weights": str(trained.weights),
            "architecture": f"{trained.architecture}, {trained.parameters:,} parameters",
            "trained": f"{trained.epochs} epochs on {trained.images:,} images in {duration(trained.seconds)}",
            "accuracy": "not measured" if trained.test is None else _accuracy(trained.test.accuracy),
        }
    )
    remark(f"use it as a teacher: --teacher torch:{trained.architecture}@{trained.weights}")


def _accuracy(accuracy: float | None) -> str:
    return f"{percent(accuracy)} of the test images, after the last epoch"
