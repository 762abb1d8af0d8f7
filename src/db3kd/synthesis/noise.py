"""Images out of nothing: noise of random brightness and grain, and which of it to start from.

The noise is made again from its seed whenever it is needed; only the teacher's answers to it have to be kept. Nothing
is asked here: the pipeline asks, round by round, until every class has images enough or the rounds are used up.
"""

from dataclasses import dataclass

import torch

from db3kd.teachers import TeacherSpec
from db3kd.tensors import Float, Int, Tensor

_LIFT = 0.2
_ROUND_STRIDE = 1_000_003


@dataclass(frozen=True)
class NoiseOptions:
    """How much noise is asked about, and how it looks.

    Args:
        images_per_class: so many images of each class are wanted.
        rounds: most rounds of asking; a class that has not shown up enough by then goes without.
        images_per_round: images in a round; None for as many as are wanted of all classes together.
        scale: the uniform part is multiplied by a number between 0 and this, drawn for each image.
        deviation: the Gaussian part has a standard deviation between 0 and this, drawn for each image.
        seed: of all of it.
    """

    images_per_class: int = 200
    rounds: int = 15
    images_per_round: int | None = None
    scale: float = 1.0
    deviation: float = 1.0
    seed: int = 0

    def per_round(self, num_classes: int) -> int:
        """Tell how many images a round has."""
        return self.images_per_round or self.images_per_class * num_classes


def draw_noise(spec: TeacherSpec, options: NoiseOptions, round_number: int) -> Float[Tensor, "n c h w"]:
    """Draw the noise of one round, the same each time.

    Args:
        spec: the teacher's shape, bounds and levels.
        options: how it looks, and how much.
        round_number: which round, from 0.

    Returns:
        Images within the teacher's bounds and on its levels: what is asked is what is kept.

    Source: Wang (2021), section 3.3: uniform noise plus 0.2, times a random scale, plus Gaussian noise of a random
        scale, clipped. The scales are not stated there; both lie between 0 and 1 here.
    """
    count = options.per_round(spec.num_classes)
    generator = torch.Generator().manual_seed(options.seed * _ROUND_STRIDE + round_number)
    shape, one = (count, *spec.input_shape), (count, 1, 1, 1)
    scales = options.scale * torch.rand(one, generator=generator)
    deviations = options.deviation * torch.rand(one, generator=generator)
    noise = (torch.rand(shape, generator=generator) + _LIFT) * scales
    noise = (noise + deviations * torch.randn(shape, generator=generator)).clamp(0.0, 1.0)
    low, high = spec.bounds
    return spec.admit(low + (high - low) * noise)


def choose_of_each(decisions: Int[Tensor, " n"], count: int, num_classes: int) -> Int[Tensor, " m"]:
    """Choose the first images of each class.

    Args:
        decisions: the teacher's class of each image.
        count: how many of a class at most.
        num_classes: number of classes that there are.

    Returns:
        Their rows, ascending; none of a class that never showed up.
    """
    chosen = [(decisions == number).nonzero()[:count, 0] for number in range(num_classes)]
    return torch.cat(chosen).sort().values
