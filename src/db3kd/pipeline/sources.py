"""Pools by their names: of images at hand, of images that are made, or of both."""

from collections.abc import Callable
from typing import Any

from db3kd.data import Dataset
from db3kd.errors import PlanError
from db3kd.pipeline.asking import as_seen
from db3kd.pools import ImagePool, Pool
from db3kd.teachers import TeacherSpec

_OF_IMAGES, _WITHOUT = ("images", "surrogates"), ("priors", "repulsion")


def check_pool(name: str, images: Dataset | None) -> None:
    """Refuse a pool of images where none are at hand, and one that has no use for them."""
    if name in _OF_IMAGES and images is None:
        raise PlanError(
            f"the pool {name!r} is made of images, and none are named; nothing was asked: name some (images.source in "
            "a plan)"
        )
    if name in _WITHOUT and images is not None:
        raise PlanError(
            f"the pool {name!r} makes images, and some are named (images.source in a plan); nothing was asked: leave "
            "one out, or take the pool 'surrogates' for both"
        )


def make_pool(name: str, images: Dataset | None, spec: TeacherSpec, make: Callable[..., Any]) -> Pool:
    """Make a pool by its name, with a maker that takes `pictures` or `image_shape`."""
    check_pool(name, images)
    if images is None or name not in _OF_IMAGES:
        made: Pool = make(image_shape=spec.input_shape)
        return made
    seen = as_seen(images, spec)
    if name == "images":
        return ImagePool(seen)
    surrogates: Pool = make(pictures=seen)
    return surrogates
