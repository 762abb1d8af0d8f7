"""Pools by their names: of images at hand, of images that are made, or of several as one."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from db3kd.data import Dataset
from db3kd.errors import PlanError
from db3kd.names import POOLS, find, made
from db3kd.pipeline.asking import as_seen
from db3kd.pools import ImagePool, Joined, Pool
from db3kd.teachers import TeacherSpec

_OF_IMAGES, _WITHOUT = ("images", "surrogates"), ("priors", "repulsion")


def check_pools(names: Sequence[str], images: Dataset | None) -> None:
    """Refuse pools of images where none are at hand, and images of which no pool makes use."""
    needing = [name for name in names if name in _OF_IMAGES]
    if needing and images is None:
        raise PlanError(
            f"the pool {needing[0]!r} is made of images, and none are named; nothing was asked: name some "
            "(images.source in a plan)"
        )
    if images is not None and not needing and any(name in _WITHOUT for name in names):
        raise PlanError(
            f"the pool {names[0]!r} makes images, and some are named (images.source in a plan); nothing was asked: "
            "leave one out, or take the pool 'surrogates' for both"
        )


def make_pool(
    names: Sequence[str], images: Dataset | None, spec: TeacherSpec, make: Callable[..., Any] | None = None
) -> Pool:
    """Make a pool by its name, or several as one.

    What makes a pool takes `pictures` or `image_shape`; `make` does it in the place of what the one name leads to.
    Surrogates hold the priors already.
    """
    check_pools(names, images)
    wanted = [name for name in dict.fromkeys(names) if name != "priors" or "surrogates" not in names]
    pools = [_make_one(name, images, spec, make or partial(made, find(POOLS, name), name)) for name in wanted]
    return pools[0] if len(pools) == 1 else Joined(pools)


def _make_one(name: str, images: Dataset | None, spec: TeacherSpec, make: Callable[..., Any]) -> Pool:
    if images is None or name not in _OF_IMAGES:
        pool: Pool = make(image_shape=spec.input_shape)
        return pool
    seen = as_seen(images, spec)
    if name == "images":
        return ImagePool(seen)
    surrogates: Pool = make(pictures=seen)
    return surrogates
