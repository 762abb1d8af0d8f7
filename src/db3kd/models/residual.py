"""A small residual network for pictures of any size, photos too.

Source: He et al. (2016), "Identity mappings in deep residual networks", in small.
"""

import math
from functools import partial

from torch import nn
from torch.nn import functional

from db3kd.arguments import Positive, check_arguments
from db3kd.errors import PlanError
from db3kd.tensors import Float, Tensor

# The stages see at most so many places a side: the stem brings larger pictures down to that.
_SIDE = 40
_LEAST = 8


class Residual(nn.Module):
    """A convolution that brings the picture down to at most 40x40 places, three residual stages, and the mean of them.

    It has 308,650 parameters for 3x64x64 and 10 classes, and about as many for any other size.

    Args:
        input_shape: channels, height and width of one image; height and width at least 8.
        num_classes: length of a row of logits.
        widths: channels of the three stages.

    Raises:
        PlanError: the image is too small.
    """

    def __init__(
        self,
        input_shape: tuple[Positive, Positive, Positive],
        num_classes: Positive,
        *,
        widths: tuple[Positive, Positive, Positive] = (32, 64, 128),
    ) -> None:
        super().__init__()
        check_arguments(Residual.__init__, locals())
        channels, height, width = input_shape
        if min(height, width) < _LEAST:
            raise PlanError(
                f"a residual network needs images of at least {_LEAST}x{_LEAST} pixels, got {height}x{width}; no "
                "network was built: enlarge the images or name another architecture as package.module:factory"
            )
        stride = 2 ** max(0, math.ceil(math.log2(max(height, width) / _SIDE)))
        first, second, third = widths
        # Neighbouring windows overlap by half, so that no edge falls between two.
        window = max(3, 2 * stride - 1)
        self.stem = nn.Sequential(
            nn.Conv2d(channels, first, window, stride=stride, padding=window // 2, bias=False),
            nn.BatchNorm2d(first),
            nn.ReLU(),
        )
        self.stages = nn.Sequential(_Block(first, first, 1), _Block(first, second, 2), _Block(second, third, 2))
        self.classifier = nn.Linear(third, num_classes)

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b num_classes"]:
        """Give the logits of images in [0, 1]."""
        logits: Tensor = self.classifier(self.stages(self.stem(images)).mean(dim=(2, 3)))
        return logits


class _Block(nn.Module):
    """Two convolutions, and the way around them."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.first_norm = nn.BatchNorm2d(outputs)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.second_norm = nn.BatchNorm2d(outputs)
        self.around = nn.Sequential()
        if stride > 1 or inputs != outputs:
            self.around = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d i j"]:
        inner = functional.relu(self.first_norm(self.first(images)))
        return functional.relu(self.second_norm(self.second(inner)) + self.around(images))


residual_half = partial(Residual, widths=(16, 32, 64))
