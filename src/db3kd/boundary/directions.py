"""A bank of random unit directions, drawn once from the seed and shared by all rows.

A row takes its next block by its own key and counter, so that what it sees does not depend on its batch mates, at
a twentieth of the cost of fresh Gaussians.
"""

import math

import torch

from db3kd.tensors import Float, Int, Tensor

_MOST_BYTES = 64 * 2**20


class DirectionBank:
    """Blocks of unit vectors in random directions.

    Args:
        dimension: length of a direction.
        block: directions that a row takes at once.
        seed: what they are drawn from.
        span: orthonormal directions; what is drawn lies in the space of them. None for the whole space.
        device: where they live.
    """

    def __init__(
        self,
        dimension: int,
        *,
        block: int,
        seed: int,
        span: Float[Tensor, "m d"] | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        # Two blocks at least: one alone would show every row the same directions over and over.
        blocks = max(2, _MOST_BYTES // (4 * dimension * block))
        free = dimension if span is None else len(span)
        drawn = torch.randn(blocks * block, free, generator=torch.Generator().manual_seed(seed))
        if span is not None:
            drawn = drawn @ span.cpu()
        self._directions: Float[Tensor, "m d"] = unit(drawn).to(device)
        self._blocks, self._block = blocks, block
        self.freedom = free

    def take(
        self, keys: Int[Tensor, " b"], counters: Int[Tensor, " b"], places: Int[Tensor, " b"]
    ) -> Float[Tensor, "b d"]:
        """Give the direction at each place (0 to block - 1) of the block that key and counter lead to."""
        blocks = (keys + counters) % self._blocks
        return self._directions[blocks * self._block + places]

    def weigh(
        self, keys: Int[Tensor, " r"], counters: Int[Tensor, " r"], weights: Float[Tensor, "r m"]
    ) -> Float[Tensor, "r d"]:
        """Give the mean of a block's directions, each times its weight.

        It is summed row by row in a fixed order, since a matrix product's order depends on how many rows there are.
        """
        blocks = self._directions.view(self._blocks, self._block, -1)[(keys + counters) % self._blocks]
        return (weights[:, :, None] * blocks).mean(dim=1)


def low_frequencies(shape: tuple[int, int, int], count: int) -> Float[Tensor, "m d"]:
    """Give the smoothest patterns that images can be turned by: the lowest cosines of each channel.

    Args:
        shape: channels, height and width of an image.
        count: about how many to give; it is rounded down to a square of frequencies in each channel.

    Returns:
        Orthonormal patterns, flattened.

    Source: the low-frequency subspace of Guo et al. (2019), "Low Frequency Adversarial Perturbation".
    """
    channels, height, width = shape
    side = max(1, min(height, width, math.isqrt(count // channels)))
    waves: Tensor = torch.einsum("ai,bj->abij", _cosines(side, height), _cosines(side, width)).reshape(side**2, -1)
    every: Tensor = torch.block_diag(*[waves] * channels)
    return every


def _cosines(count: int, length: int) -> Float[Tensor, "count length"]:
    """The first cosines of the discrete cosine transform, each of length 1."""
    waves: Tensor = torch.cos(math.pi / length * torch.arange(count)[:, None] * (torch.arange(length) + 0.5))
    return unit(waves)


def unit(vectors: Float[Tensor, "r d"]) -> Float[Tensor, "r d"]:
    """Scale vectors to length 1; one of no length stays as it is."""
    lengths: Tensor = torch.linalg.vector_norm(vectors, dim=1, keepdim=True)
    return vectors / lengths.clamp(min=torch.finfo(vectors.dtype).tiny)
