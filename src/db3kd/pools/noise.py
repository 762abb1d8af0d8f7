"""Images out of nothing: noise of random brightness and grain, and which of it to start from.

The noise is made again from its seed whenever it is needed; only the teacher's answers to it have to be kept. Nothing
is asked here: the pipeline asks, round by round, until every class has images enough or the rounds are used up.
"""

from typing import Annotated

import torch
from annotated_types import Ge

from db3kd.arguments import Positive, check_arguments, checked_options
from db3kd.teachers import TeacherSpec
from db3kd.tensors import Float, Int, Tensor

_LIFT = 0.2
_ROUND_STRIDE = 1_000_003


@checked_options
class NoiseOptions:
    """How much noise is asked about, and how it looks.

    Args:
        images_per_class: so many images of each class are wanted.
        rounds: most rounds of asking; a class that has not shown up enough by then goes without.
        images_per_round: images in a round; None for as many as are wanted of all classes together.
        scale: the uniform part is multiplied by a number between 0 and this, drawn for each image.
        deviation: the Gaussian part has a standard deviation between 0 and this, drawn for each image.
    """

    images_per_class: Annotated[int, Ge(1)] = 200
    rounds: Annotated[int, Ge(1)] = 15
    images_per_round: Annotated[int, Ge(1)] | None = None
    scale: Annotated[float, Ge(0)] = 1.0
    deviation: Annotated[float, Ge(0)] = 1.0

    def per_round(self, num_classes: int) -> int:
        """Tell how many images a round has."""
        return self.images_per_round or self.images_per_class * num_classes


def draw_noise(spec: TeacherSpec, options: NoiseOptions, round_number: int, *, seed: int) -> Float[Tensor, "n c h w"]:
    """Draw the noise of one round, the same each time, within the teacher's bounds and on its levels.

    Source: Wang (2021), section 3.3: uniform noise plus 0.2, times a random scale, plus Gaussian noise of a random
        scale, clipped. The scales are not stated there; both lie between 0 and 1 here.
    """
    check_arguments(draw_noise, locals())
    count = options.per_round(spec.num_classes)
    generator = torch.Generator().manual_seed(int(seed) * _ROUND_STRIDE + int(round_number))
    shape, one = (count, *spec.input_shape), (count, 1, 1, 1)
    scales = options.scale * torch.rand(one, generator=generator)
    deviations = options.deviation * torch.rand(one, generator=generator)
    noise = (torch.rand(shape, generator=generator) + _LIFT) * scales
    noise = (noise + deviations * torch.randn(shape, generator=generator)).clamp(0.0, 1.0)
    low, high = spec.bounds
    return spec.admit(low + (high - low) * noise)


def choose_of_each(decisions: Int[Tensor, " n"], count: int, num_classes: Positive) -> Int[Tensor, " m"]:
    """Choose the rows of the first images of each class, `count` of it at most, in ascending order."""
    check_arguments(choose_of_each, locals())
    chosen = [(decisions == number).nonzero()[:count, 0] for number in range(num_classes)]
    return torch.cat(chosen).sort().values
