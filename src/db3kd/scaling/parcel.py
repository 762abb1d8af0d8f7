"""What a worker has to learn, as named tensors and JSON, and back: no pickle, and no code of the user's script."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import NamedTuple

from db3kd.data.mapped import InFile, in_file, opened
from db3kd.tensors import Tensor
from db3kd.training import Material, Objective, Unasked, Views

_PLAIN = ("temperature", "hard_weight", "soft_weight", "smoothing")
_TENSORS = ("labels", "soft_labels", "offsets")


class Parcel(NamedTuple):
    """Named tensors, and short texts beside them, as `db3kd.tensorfile` writes them."""

    tensors: Mapping[str, Tensor]
    about: Mapping[str, str]


def wrapped(material: Material, *, named: bool = False) -> Parcel:
    """Wrap what is to be learned; for other machines, only files with a name are left where they are."""
    objective, unasked, views = material.objective, material.unasked, material.views
    tensors = {name: found for name in _TENSORS if (found := getattr(objective, name)) is not None}
    tensors["pixels"] = material.pixels
    if material.rows is not None:
        tensors["learned"] = material.rows
    plain = {name: getattr(objective, name) for name in _PLAIN}
    about = {"objective": json.dumps(plain), "images_per_epoch": json.dumps(material.images_per_epoch)}
    if views is not None:
        about["views"] = json.dumps(asdict(views))
    if unasked is not None:
        tensors |= {"pool": unasked.pixels, "rows": unasked.rows, "shares": unasked.shares}
        about["unasked"] = json.dumps({"certainty": unasked.certainty, "for_each": unasked.for_each})
    # A pool that lies in a file is opened there, and not sent.
    places = {name: place for name, tensor in tensors.items() if (place := in_file(tensor, named=named)) is not None}
    about["files"] = json.dumps({name: asdict(place) for name, place in places.items()})
    return Parcel({name: tensor for name, tensor in tensors.items() if name not in places}, about)


def unwrapped(parcel: Parcel) -> Material:
    """Give back what was wrapped."""
    sent, about = parcel
    files = json.loads(about["files"])
    there = {name: InFile(**{**place, "shape": tuple(place["shape"])}) for name, place in files.items()}
    tensors = {**sent, **{name: opened(place) for name, place in there.items()}}
    plain = json.loads(about["objective"])
    labels, soft, offsets = tensors.get("labels"), tensors.get("soft_labels"), tensors.get("offsets")
    objective = Objective(labels=labels, soft_labels=soft, offsets=offsets, **plain)
    unasked = None
    if "unasked" in about:
        unasked = Unasked(tensors["pool"], tensors["rows"], tensors["shares"], **json.loads(about["unasked"]))
    return Material(
        tensors["pixels"],
        objective,
        json.loads(about["images_per_epoch"]),
        Views(**json.loads(about["views"])) if "views" in about else None,
        unasked,
        tensors.get("learned"),
    )
