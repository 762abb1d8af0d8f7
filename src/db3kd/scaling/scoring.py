"""What networks say of very many images, worked out on any machine of a Ray cluster by Ray Data.

The result is byte for byte that of this process, where the machines compute alike. No teacher is asked: Ray may look at
images a second time where a machine fails.
"""

import logging
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any, final

import numpy as np
import torch
from safetensors.torch import load, save
from torch import nn

from db3kd.data.mapped import InFile, in_file, opened
from db3kd.errors import ClusterLost, Db3kdError, needing
from db3kd.evaluation import BATCH, scores
from db3kd.scaling.connection import cores_of
from db3kd.scaling.job import import_from
from db3kd.tensors import Float, Int, Pixels, Tensor

# So many images that starting takes less than looking; the same shards on any cluster.
_SHARD = 64 * BATCH


def score_on_cluster(
    modules: Sequence[nn.Module],
    pixels: Pixels,
    *,
    rows: Int[Tensor, " b"] | None = None,
    hear: Callable[[int], None] = lambda _: None,
) -> Float[Tensor, "k b num_classes"]:
    """Ask networks for their logits on the cluster that this process is connected to, as many at once as it has cores.

    As trainings do, this claims no cores; see `train_as_tasks`.

    Args:
        modules: the networks; their classes can be imported on the cluster, or are of the script that runs.
        pixels: the images. Those that lie in a file are read where they are looked at, at the same place; others are
            sent.
        rows: which of them; None for all.
        hear: called with how many of them are done.

    Returns:
        What each network says of each image, as `db3kd.evaluation.scores` gives it.

    Raises:
        InputError: Ray Data is not installed.
        ClusterLost: the cluster is gone.
        Db3kdError: it cannot open the file or the networks.
    """
    with needing("ray", "a cluster"):
        import ray
        import ray.data
        from ray import cloudpickle
    place = in_file(pixels, named=True)
    rows = torch.arange(len(pixels)) if rows is None else rows
    # Rows of a file travel as numbers, others as pixels.
    shards = rows.split(_SHARD)
    items = [
        {"shard": number, "sent": save({"rows": some} if place is not None else {"pixels": pixels[some]})}
        for number, some in enumerate(shards)
    ]
    workers = max(1, min(len(shards), int(cores_of(ray))))
    found: dict[int, Tensor] = {}
    hear(0)
    try:
        with _quiet(ray.data.DataContext.get_current()):
            looked = ray.data.from_items(items, override_num_blocks=len(items)).map_batches(
                _Scorer,
                batch_size=1,
                compute=ray.data.ActorPoolStrategy(size=workers),
                fn_constructor_args=(cloudpickle.dumps(list(modules)), place, sys.path),
                num_cpus=0,
            )
            for row in looked.iter_rows():
                if row["trouble"]:
                    raise Db3kdError(_trouble(len(rows), row["trouble"]))
                found[int(row["shard"])] = load(row["scores"])["scores"]
                hear(sum(one.shape[1] for one in found.values()))
    except ray.exceptions.RayError as error:
        raise ClusterLost(_trouble(len(rows), type(error).__name__)) from error
    return torch.cat([found[number] for number in range(len(shards))], dim=1)


def _trouble(count: int, reason: str) -> str:
    return (
        f"what networks say of {count:,} images could not be worked out on the cluster ({reason}); nothing was asked, "
        "and what was bought is kept: see to the cluster, where a file of pixels must have the same path on all "
        "machines, or run again without it to go on"
    )


@final
class _Scorer:
    """Looks at one shard after another, where Ray runs it; trouble is told, since Ray would print it with its stack."""

    def __init__(self, packed: bytes, place: InFile | None, path: Sequence[str]) -> None:
        import_from(path)
        torch.set_num_threads(1)
        self._packed, self._place = packed, place

    @cached_property
    def _modules(self) -> Sequence[nn.Module]:
        from ray import cloudpickle

        unpacked: Sequence[nn.Module] = cloudpickle.loads(self._packed)
        return unpacked

    @cached_property
    def _pixels(self) -> Tensor | None:
        return None if self._place is None else opened(self._place)

    def __call__(self, batch: Mapping[str, Any]) -> Mapping[str, Any]:
        (sent,), told, trouble = batch["sent"], b"", ""
        try:
            images = load(sent)
            pixels = images["pixels"] if self._pixels is None else self._pixels
            told = save({"scores": scores(self._modules, pixels, rows=images.get("rows"))})
        except Exception as error:  # noqa: BLE001  # a user's network may raise anything
            trouble = f"{type(error).__name__}: {error}"
        return {
            "shard": batch["shard"],
            "scores": np.array([told], dtype=object),
            "trouble": np.array([trouble], dtype=object),
        }


@contextmanager
def _quiet(settings: Any) -> Iterator[None]:
    """Let Ray Data draw no bars and tell errors alone: progress is ours."""
    log = logging.getLogger("ray.data")
    before = settings.enable_progress_bars, log.level
    settings.enable_progress_bars = False
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        settings.enable_progress_bars = before[0]
        log.setLevel(before[1])
