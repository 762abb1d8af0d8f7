"""What networks say of images, here or on the Ray cluster of a run: the same bits."""

from collections.abc import Sequence
from functools import partial

import torch
from torch import nn

from db3kd.context import Context, silent
from db3kd.evaluation import BATCH, scores
from db3kd.scaling import score_on_cluster
from db3kd.tensors import Float, Int, Pixels, Tensor

# Passes from which on somebody waits for it, and it is worth some seconds to start workers on a cluster.
_LONG = 100_000
# Rows between two words of how far it is.
_PART = 256 * BATCH


def scores_of(
    members: Sequence[nn.Module],
    pixels: Pixels,
    context: Context,
    rows: Int[Tensor, " b"] | None = None,
    *,
    stage: str = "opinions",
) -> Float[Tensor, "k b num_classes"]:
    """Ask networks for their logits of some images, or of all; the progress calls it by the name of `stage`."""
    rows = torch.arange(len(pixels)) if rows is None else rows
    long = len(members) * len(rows) >= _LONG
    hear = partial(context.progress if long else silent, stage, total=len(rows), unit="images")
    if long and context.clustered and context.device == "cpu":
        return score_on_cluster(members, pixels, rows=rows, hear=hear)
    found = []
    for number, part in enumerate(rows.split(_PART)):
        hear(number * _PART)
        found.append(scores(members, pixels, rows=part, device=context.device))
    hear(len(rows))
    return torch.cat(found, dim=1)
