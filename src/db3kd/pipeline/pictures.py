"""What a report shows of the images that were bought: nearest crossings, samples of each class, pushes step by step."""

import logging

import torch

from db3kd.pipeline.bought import Bought
from db3kd.pipeline.kept import kept_bought
from db3kd.pipeline.measure import NAME, SHARD, Measured
from db3kd.pipeline.tell import Purchase
from db3kd.report.examples import Example, pick_examples
from db3kd.runs import Keeper, numbered_part

_log = logging.getLogger(__name__)


def examples_of(purchase: Purchase, class_names: tuple[str, ...]) -> list[Example]:
    """Pick the nearest crossings of the first images, to look at; none where nothing was searched."""
    measured = purchase.measured
    if measured is None or not len(measured.points):
        return []
    answers = purchase.bought.answers.known()
    images = answers.images.images(torch.arange(len(measured.points)))
    return pick_examples(images, measured.points, answers.decisions, measured.distances, class_names=class_names)


def kept_examples(keeper: Keeper, class_names: tuple[str, ...]) -> list[Example]:
    """Pick them again out of what a run has kept."""
    shard = keeper.look(numbered_part(NAME, 0), SHARD)
    points = None if shard is None else shard.tensors.get("example_points")
    if points is None:
        return []
    bought = kept_bought(keeper)
    assert bought.distances is not None, "a shard holds some"
    measured = bought.answers.take(bought.answers.learned()[: len(bought.distances)])
    purchase = Purchase(Bought(measured, bought.mixtures), measured=Measured(bought.distances, points, 0, 0.0))
    return examples_of(purchase, class_names)


def picture_of(purchase: Purchase) -> bytes:
    """Draw some of the images of each class and round, where the extra `report` is installed."""
    try:
        # Here and not above: the extra is optional, and matplotlib takes half a second.
        from db3kd.report.strips import draw_pushes, draw_samples
    except ImportError as error:
        _log.info("no picture was drawn, since %s is missing: pip install 'db3kd[report]'", error.name)
        return b""
    answers = purchase.bought.answers
    if purchase.made is None:
        return draw_samples(answers, purchase.rounds, answers.images.class_names)
    strips, classes = purchase.made.pictures
    steps = (0, *purchase.made.steps)
    return draw_pushes(strips, [str(number) for number in classes], steps, purchase.made.figures.distances)
