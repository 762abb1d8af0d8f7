"""`db3kd train`: a network trained on true labels."""

from dataclasses import replace
from typing import Annotated

from db3kd.cli import options
from db3kd.cli.display import print_json, print_pairs, remark
from db3kd.cli.options import content_of
from db3kd.cli.session import reading
from db3kd.context import Context
from db3kd.data import Dataset, Place
from db3kd.data.sources import NAMED
from db3kd.errors import DataError, PlanError
from db3kd.pipeline.supervised import train_on_labels
from db3kd.plan import Plan, merged, open_images, open_train_recipe, parse_plan
from db3kd.progress import showing
from db3kd.report.tables import duration, percent
from db3kd.runs import Keeper, Run
from db3kd.runs.tracking import tracking


def train(
    *,
    run: options.RUN,
    data: Annotated[str | None, options.key_option("images.source")] = None,
    architecture: Annotated[str | None, options.key_option("train.architecture")] = None,
    held_out: options.HELD_OUT = None,
    seed: options.SEED = None,
    plan: options.PLAN = None,
    settings: options.SET = None,
    device: options.DEVICE = "cpu",
    track: options.TRACK = None,
    as_json: options.JSON = False,
) -> None:
    """Train a teacher, or a baseline student, on true labels; its weights are DIR/model.safetensors.

    --set train.epochs=20 and the like change the preset, and --set images.limit=1000 takes fewer images.
    """
    asked = content_of(
        plan, settings, images__source=data, train__architecture=architecture, held_out__source=held_out, run__seed=seed
    )
    with Run(run) as opened:
        sections = parse_plan(merged(opened.plan() or {}, asked))
        if sections.images is None or sections.train is None:
            raise PlanError("there is nothing to train on, or nothing to train: name --data and --architecture")
        recipe = open_train_recipe(sections.train)
        with reading(opened) as place:
            images = open_images(sections.images, place=place)
            test = _test_split(sections, images, replace(place, name="held-out"))
        with tracking(track, run) as tracker, showing(remark) as stages:
            opened.adopt(sections.written())
            keeper = Keeper(opened, Context(device, sections.run.seed, stages, tracker))
            trained = train_on_labels(keeper, images, test, architecture=sections.train.architecture, recipe=recipe)
    if as_json:
        print_json(trained.figures())
        return
    accuracy = "not measured"
    if trained.test is not None:
        accuracy = f"{percent(trained.test.accuracy)} of the test images, after the last epoch"
    print_pairs(
        {
            "weights": str(trained.weights),
            "architecture": f"{trained.architecture}, {trained.parameters:,} parameters",
            "trained": f"{trained.epochs} epochs on {trained.images:,} images in {duration(trained.seconds)}",
            "accuracy": accuracy,
        }
    )
    remark(f"use it as a teacher: --teacher torch:{trained.architecture}@{trained.weights}")


def _test_split(sections: Plan, images: Dataset, place: Place) -> Dataset | None:
    shape, like = images.image_shape, sections.images
    if sections.held_out is not None:
        return open_images(sections.held_out, wanted=shape, place=place, like=like)
    assert like is not None, "asked before"
    try:
        test = like.model_copy(update={"split": "test", "limit": None})
        return open_images(test, wanted=shape, place=place)
    except DataError as error:
        # A named set has its test split, and one that cannot be read is an error; a user's own folder may have none.
        if like.source in NAMED:
            raise
        remark(f"the accuracy is not measured: {error}")
        return None
