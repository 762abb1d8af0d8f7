"""LeNet5 and AlexNet as the paper trains them, at any width.

Source: arXiv 2106.03310, section 4.
"""

from functools import partial
from typing import Annotated

from annotated_types import Ge, Lt
from torch import nn

from db3kd.arguments import Positive, check_arguments
from db3kd.errors import PlanError
from db3kd.tensors import Float, Tensor


class LeNet5(nn.Module):
    """Two 5x5 convolutions and two dense layers; 187,780 parameters for images of 1x28x28 and 10 classes.

    Args:
        input_shape: channels, height and width of one image; height and width at least 16.
        num_classes: length of a row of logits.
        widths: channels of the two convolutions, then units of the hidden dense layer.

    Raises:
        PlanError: nothing would be left of the image after the second pooling.
    """

    def __init__(
        self,
        input_shape: tuple[Positive, Positive, Positive],
        num_classes: Positive,
        *,
        widths: tuple[Positive, Positive, Positive] = (20, 50, 200),
    ) -> None:
        super().__init__()
        check_arguments(LeNet5.__init__, locals())
        channels, height, width = input_shape
        first, second, hidden = widths
        places = _left("LeNet5", 16, input_shape, *(((side - 4) // 2 - 4) // 2 for side in (height, width)))
        self.features = nn.Sequential(
            nn.Conv2d(channels, first, kernel_size=5),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(first, second, kernel_size=5),
            nn.ReLU(),
            nn.MaxPool2d(2),
        )
        self.classifier = nn.Sequential(
            nn.Linear(second * places, hidden),
            nn.ReLU(),
            nn.Linear(hidden, num_classes),
        )

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b num_classes"]:
        """Give the logits of images in [0, 1]."""
        logits: Tensor = self.classifier(self.features(images).flatten(1))
        return logits


class AlexNet(nn.Module):
    """Five 3x3 convolutions and three dense layers, with batch norm and dropout, as for images of 32x32.

    Each hidden dense layer is followed by ReLU, dropout of one half and batch norm, in this order.

    Args:
        input_shape: channels, height and width of one image; height and width at least 15.
        num_classes: length of a row of logits.
        divisor: every width is divided by this: 2 for half, 4 for quarter.

    Raises:
        PlanError: nothing would be left of the image after the last pooling.
    """

    def __init__(
        self,
        input_shape: tuple[Positive, Positive, Positive],
        num_classes: Positive,
        *,
        divisor: Annotated[int, Ge(1), Lt(65)] = 1,
    ) -> None:
        super().__init__()
        check_arguments(AlexNet.__init__, locals())
        channels, height, width = input_shape
        places = _left("AlexNet", 15, input_shape, *(((side - 1) // 2 + 1) // 8 for side in (height, width)))
        first, second, third, fourth, fifth, hidden = (full // divisor for full in (64, 192, 384, 256, 256, 4096))
        self.features = nn.Sequential(
            *_convolution(channels, first, stride=2),
            nn.MaxPool2d(2),
            *_convolution(first, second),
            nn.MaxPool2d(2),
            *_convolution(second, third),
            *_convolution(third, fourth),
            *_convolution(fourth, fifth),
            nn.MaxPool2d(2),
        )
        self.classifier = nn.Sequential(
            *_dense(fifth * places, hidden),
            *_dense(hidden, hidden),
            nn.Linear(hidden, num_classes),
        )

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b num_classes"]:
        """Give the logits of images in [0, 1]."""
        logits: Tensor = self.classifier(self.features(images).flatten(1))
        return logits


lenet5_half = partial(LeNet5, widths=(10, 25, 100))
lenet5_fifth = partial(LeNet5, widths=(4, 10, 40))
alexnet_half = partial(AlexNet, divisor=2)
alexnet_quarter = partial(AlexNet, divisor=4)


def _left(network: str, least: int, input_shape: tuple[int, int, int], rows: int, columns: int) -> int:
    """How many places the last pooling leaves, if any."""
    if min(rows, columns) < 1:
        raise PlanError(
            f"{network} needs images of at least {least}x{least} pixels, got {input_shape[1]}x{input_shape[2]}; no "
            "network was built: resize the images or name another architecture as package.module:factory"
        )
    return rows * columns


def _convolution(inputs: int, outputs: int, *, stride: int = 1) -> tuple[nn.Module, ...]:
    return nn.Conv2d(inputs, outputs, kernel_size=3, stride=stride, padding=1), nn.BatchNorm2d(outputs), nn.ReLU()


def _dense(inputs: int, outputs: int) -> tuple[nn.Module, ...]:
    return nn.Linear(inputs, outputs), nn.ReLU(), nn.Dropout(0.5), nn.BatchNorm1d(outputs)
