"""A linear classifier of five classes, in numpy, and as a teacher."""

import numpy as np
import numpy.typing as npt
import torch

from db3kd.teachers import FunctionTeacher, Teacher

SHAPE, CLASSES = (1, 4, 4), 5
WEIGHTS = np.random.default_rng(0).normal(size=(16, CLASSES)).astype(np.float32)
IMAGES = torch.rand(50, *SHAPE, generator=torch.Generator().manual_seed(0))


def largest_score(images: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
    classes: npt.NDArray[np.int64] = ((images.reshape(len(images), -1) - 0.5) @ WEIGHTS).argmax(1)
    return classes


def function_teacher() -> Teacher:
    return FunctionTeacher(largest_score, input_shape=SHAPE, num_classes=CLASSES)
