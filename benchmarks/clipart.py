r"""A set of small colour pictures: clip art of eight kinds, by its folders, as Debian packs the Open Clip Art Library.

    apt install openclipart-png
    python -m benchmarks.clipart --out clipart.npz
    db3kd train --data npz:clipart.npz --architecture residual-half --set train.epochs=30 --run runs/clipart-teacher
    python -m benchmarks.zero_shot --teacher torch:residual-half@runs/clipart-teacher/model.safetensors \
        --test npz:clipart.npz --families all --students lenet5

The pictures are in the public domain, are drawn by many hands, and none of them comes with db3kd.
"""

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import torch
import typer

from benchmarks import command
from db3kd.data import Dataset, draw, load

FOLDER = Path("/usr/share/openclipart/png")
# A kind with fewer pictures is left out, and of one with more so many are drawn.
_LEAST, _MOST = 300, 800
_HELD_OUT = 5


def divided(pictures: Dataset, *, least: int = _LEAST, most: int = _MOST) -> dict[str, npt.NDArray[Any]]:
    """Divide pictures into a pool and, of each kind, a fifth to measure on.

    Returns:
        The arrays of an archive that `--images npz:FILE` reads.
    """
    assert pictures.labels is not None, "folders name the kinds"
    kinds = [label for label, count in enumerate(torch.bincount(pictures.labels)) if int(count) >= least]
    pool, test = list[int](), list[int]()
    for kind in kinds:
        rows = (pictures.labels == kind).nonzero()[:, 0]
        rows = rows[draw([pictures.ids[row] for row in rows.tolist()], most, seed=0)]
        held_out = set(draw([pictures.ids[row] for row in rows.tolist()], len(rows) // _HELD_OUT, seed=1).tolist())
        for place, row in enumerate(rows.tolist()):
            (test if place in held_out else pool).append(row)
    arrays: dict[str, npt.NDArray[Any]] = {"class_names": np.array([pictures.class_names[kind] for kind in kinds])}
    for suffix, some in (("", pool), ("_test", test)):
        arrays[f"images{suffix}"] = pictures.pixels[some].movedim(1, -1).numpy()
        arrays[f"labels{suffix}"] = np.array([kinds.index(int(pictures.labels[row])) for row in some])
    return arrays


def clipart(
    *,
    out: Annotated[Path, typer.Option(help="The archive of pictures to write.")],
    folder: Annotated[Path, typer.Option(help="Where the package put them.")] = FOLDER,
    side: Annotated[int, typer.Option(min=8, help="Their height and width; above 40 networks are slower.")] = 32,
) -> None:
    """Write clip art for `--images npz:FILE`: a pool, and a fifth of each kind to measure on."""
    command.check_file(out)
    command.write_divided(out, divided(load(str(folder), wanted=(3, side, side))), "kind")


if __name__ == "__main__":
    command.run(clipart, "clipart")
