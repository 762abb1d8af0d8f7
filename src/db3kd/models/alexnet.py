"""AlexNet as the paper trains it on images of 32x32, at any width.

Five convolutions and three dense layers with batch norm throughout. The names that stand for widths ("alexnet-half")
live in the package's `build`, which is the only caller.
"""

from torch import nn

from db3kd.errors import PlanError
from db3kd.tensors import Float, Tensor


class AlexNet(nn.Module):
    """Five 3x3 convolutions and three dense layers, with batch norm and dropout.

    Source: arXiv 2106.03310, section 4. Each hidden dense layer is followed by ReLU, dropout of one half and batch
    norm, in this order.

    Args:
        input_shape: channels, height and width of one image; height and width at least 15.
        num_classes: length of a row of logits.
        divisor: every width is divided by this: 2 for half, 4 for quarter.

    Raises:
        PlanError: nothing would be left of the image after the last pooling.
    """

    def __init__(self, input_shape: tuple[int, int, int], num_classes: int, *, divisor: int = 1) -> None:
        super().__init__()
        channels, height, width = input_shape
        rows, columns = (_side_after_pooling(side) for side in (height, width))
        if min(rows, columns) < 1:
            raise PlanError(
                f"AlexNet needs images of at least 15x15 pixels, got {height}x{width}; no network was built: "
                "resize the images or name another architecture as package.module:factory"
            )
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
            *_dense(fifth * rows * columns, hidden),
            *_dense(hidden, hidden),
            nn.Linear(hidden, num_classes),
        )

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b num_classes"]:
        """Score each class.

        Args:
            images: in [0, 1].

        Returns:
            Logits.
        """
        logits: Tensor = self.classifier(self.features(images).flatten(1))
        return logits


def _convolution(inputs: int, outputs: int, *, stride: int = 1) -> tuple[nn.Module, ...]:
    return nn.Conv2d(inputs, outputs, kernel_size=3, stride=stride, padding=1), nn.BatchNorm2d(outputs), nn.ReLU()


def _dense(inputs: int, outputs: int) -> tuple[nn.Module, ...]:
    return nn.Linear(inputs, outputs), nn.ReLU(), nn.Dropout(0.5), nn.BatchNorm1d(outputs)


def _side_after_pooling(side: int) -> int:
    return ((side - 1) // 2 + 1) // 8
