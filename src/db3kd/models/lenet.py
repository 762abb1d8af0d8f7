"""LeNet5 as the paper trains it, at any width.

Two convolutions, each halved by pooling, and two dense layers. The names that stand for widths ("lenet5-half") live in
the package's `build`, which is the only caller.
"""

from torch import nn

from db3kd.errors import PlanError
from db3kd.tensors import Float, Tensor


class LeNet5(nn.Module):
    """Two 5x5 convolutions and two dense layers.

    Source: arXiv 2106.03310, section 4; 187,780 parameters for images of 1x28x28, 10 classes and the default widths.

    Args:
        input_shape: channels, height and width of one image; height and width at least 16.
        num_classes: length of a row of logits.
        widths: channels of the two convolutions, then units of the hidden dense layer.

    Raises:
        PlanError: nothing would be left of the image after the second pooling.
    """

    def __init__(
        self, input_shape: tuple[int, int, int], num_classes: int, *, widths: tuple[int, int, int] = (20, 50, 200)
    ) -> None:
        super().__init__()
        channels, height, width = input_shape
        first, second, hidden = widths
        rows, columns = (_side_after_pooling(side) for side in (height, width))
        if min(rows, columns) < 1:
            raise PlanError(
                f"LeNet5 needs images of at least 16x16 pixels, got {height}x{width}; no network was built: "
                "resize the images or name another architecture as package.module:factory"
            )
        self.features = nn.Sequential(
            nn.Conv2d(channels, first, kernel_size=5),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(first, second, kernel_size=5),
            nn.ReLU(),
            nn.MaxPool2d(2),
        )
        self.classifier = nn.Sequential(
            nn.Linear(second * rows * columns, hidden),
            nn.ReLU(),
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


def _side_after_pooling(side: int) -> int:
    return ((side - 4) // 2 - 4) // 2
