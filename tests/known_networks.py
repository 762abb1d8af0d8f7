"""Networks whose classes are known: they read them off the first pixel."""

import torch
from torch import nn
from torch.nn import functional

from db3kd.answers import Answers
from db3kd.data import Dataset, from_arrays
from db3kd.tensors import Float, Tensor

CLASSES = 3


class Reader(nn.Module):
    """Says the class that the first pixel holds in steps of a tenth, or another one so far behind it."""

    def __init__(self, behind: int = 0) -> None:
        super().__init__()
        self.behind, self.weight = behind, nn.Parameter(torch.zeros(7))

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b num_classes"]:
        classes = ((images[:, 0, 0, 0] * 10).round().long() + self.behind) % CLASSES
        return functional.one_hot(classes, CLASSES).to(torch.float32) + 0 * self.weight.sum()


def readable(classes: list[int], labels: list[int] | None = None) -> Dataset:
    """Images that hold these classes."""
    pixels = torch.zeros(len(classes), 1, 2, 2)
    pixels[:, 0, 0, 0] = torch.tensor(classes) / 10
    return from_arrays(pixels, None if labels is None else torch.tensor(labels), name="readable")


def answers_to(images: Dataset, decisions: list[int], *, aside: bool = False) -> Answers:
    count = len(images)
    return Answers(images, torch.tensor(decisions), ("images",) * count, CLASSES, torch.full((count,), aside))
