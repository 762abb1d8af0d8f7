"""What networks say of images, here or on the Ray cluster of a run: the same bits."""

from collections.abc import Sequence

from torch import nn

from db3kd.context import Context
from db3kd.evaluation import scores
from db3kd.scaling import score_on_cluster
from db3kd.tensors import Float, Int, Tensor, UInt8

# Passes from which on it is worth some seconds to start workers; so many take some ten.
_LONG = 100_000


def scores_of(
    members: Sequence[nn.Module],
    pixels: UInt8[Tensor, "n c h w"] | Float[Tensor, "n c h w"],
    context: Context,
    rows: Int[Tensor, " b"] | None = None,
) -> Float[Tensor, "k b num_classes"]:
    """Ask networks for their logits of some images, or of all."""
    passes = len(members) * (len(pixels) if rows is None else len(rows))
    if context.clustered and context.device == "cpu" and passes >= _LONG:
        return score_on_cluster(members, pixels, rows=rows)
    return scores(members, pixels, rows=rows, device=context.device)
