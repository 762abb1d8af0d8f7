"""A process that trains networks, one after another: `python -m db3kd.scaling.worker`, started by `side_by_side`.

Each line that it is told names a folder: it reads it, writes the states of the training there, and says a line of JSON
for each epoch.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path

import torch

from db3kd.context import Context
from db3kd.data.mapped import written
from db3kd.errors import Db3kdError
from db3kd.models import build
from db3kd.runs.files import write_atomically
from db3kd.scaling.job import SECONDS_BETWEEN_STATES, import_from
from db3kd.scaling.parcel import Parcel, unwrapped, wrapped
from db3kd.tensorfile import pack, unpack
from db3kd.training import Epoch, Material, Recipe, TrainingState, fit

KIND = "db3kd-work-1"
MATERIAL, JOB, BEGUN, STATE, DONE, TROUBLE = "material", "job.json", "begun", "state", "done", "trouble"
_IMAGES = ("pixels", "pool")


def read(path: Path) -> Parcel:
    """Read what was written for a worker, or by one."""
    return Parcel(*unpack(path.read_bytes(), kind=KIND, origin=str(path), way_out="train again"))


def write_material(folder: Path, material: Material) -> None:
    """Write what networks learn; images in memory as bare bytes, which go to the disk without a copy."""
    folder.mkdir()
    tensors, about = wrapped(material)
    places = json.loads(about["files"])
    places |= {name: asdict(written(tensors[name], folder / name)) for name in _IMAGES if name in tensors}
    rest = {name: tensor for name, tensor in tensors.items() if name not in places}
    write(folder / MATERIAL, rest, {**about, "files": json.dumps(places)})


def read_material(folder: Path) -> Material:
    """Read what networks learn; images stay on the disk, so that several workers share one pool."""
    return unwrapped(read(folder / MATERIAL))


def write(path: Path, tensors: Mapping[str, torch.Tensor], about: Mapping[str, str]) -> None:
    """Write something for a worker, or for whoever started one."""
    write_atomically(path, pack(tensors, about, kind=KIND))


def read_state(path: Path) -> TrainingState:
    """Read where a training is to go on."""
    tensors, about = read(path)
    return TrainingState(int(about["epoch"]), dict(tensors))


def write_state(path: Path, state: TrainingState) -> None:
    """Write where a training is to go on."""
    write(path, state.tensors, {"epoch": str(state.epoch)})


def work(folder: Path, say: Callable[[Mapping[str, object]], None]) -> None:
    """Train as the folder says, and say what each epoch brought."""
    job = json.loads((folder / JOB).read_text())
    import_from(job["path"])
    torch.set_num_threads(1)
    recipe = Recipe(**job["recipe"])
    state = read_state(folder / BEGUN) if (folder / BEGUN).exists() else None
    kept_at = time.monotonic()

    def hear(epoch: Epoch, snapshot: Callable[[], TrainingState]) -> None:
        nonlocal kept_at
        keep = time.monotonic() - kept_at > SECONDS_BETWEEN_STATES and epoch.number < recipe.epochs
        if keep:
            write_state(folder / STATE, snapshot())
            kept_at = time.monotonic()
        say({"epoch": asdict(epoch), "state": keep})

    network = build(job["architecture"], tuple(job["input_shape"]), job["num_classes"], seed=job["seed"])
    material = read_material(Path(job["material"]))
    trained = fit(network, material, recipe, context=Context(seed=job["seed"]), resume=state, on_epoch=hear)
    write(folder / DONE, trained.state_dict(), {})


if __name__ == "__main__":
    # What a user's network prints is no message.
    messages = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def say(message: Mapping[str, object]) -> None:
        """Tell whoever started this."""
        messages.write(json.dumps(message) + "\n")
        messages.flush()

    for line in sys.stdin:
        try:
            work(Path(line.rstrip("\n")), say)
            say({"done": True})
        except Db3kdError as error:
            say({"error": type(error).__name__, "text": str(error)})
