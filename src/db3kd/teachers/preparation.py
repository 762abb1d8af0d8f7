"""Preparation: images in [0, 1] are brought to what a teacher was trained on.

Searches and students work on the images before preparation, and distances are measured there. `db3kd check-teacher`
finds out which preparation a teacher needs.
"""

import json
from dataclasses import asdict, fields, replace
from math import isfinite
from typing import Literal

import numpy as np
import torch
from torch.nn import functional

from db3kd.arguments import check_arguments, checked_options
from db3kd.errors import PlanError
from db3kd.teachers.protocol import Service, Teacher, TeacherSpec, spec_of
from db3kd.tensors import Float, Int, Tensor

ChannelOrder = Literal["rgb", "bgr"]
Interpolation = Literal["bilinear", "bicubic"]
_COLORS = 3
_LATER = ("interpolation", "crop")


@checked_options
class Preparation:
    """What is done to an image in [0, 1] before a teacher sees it, in this order.

    Args:
        resize: height and width that the teacher takes, or that it cuts its own out of; None where images have them.
        interpolation: how images are resized; a smaller one is filtered first.
        crop: height and width of the middle that the teacher takes; None for the whole.
        scale: each value is multiplied by this; 255 for a teacher that takes 0 to 255.
        gray_to_color: the one channel of an image is given three times.
        channel_order: "bgr" turns the three channels around.
        mean: taken away, per channel that the teacher sees, in scaled units; one value serves all channels.
        deviation: divided by, likewise.
    """

    resize: tuple[int, int] | None = None
    interpolation: Interpolation = "bilinear"
    crop: tuple[int, int] | None = None
    scale: float = 1.0
    gray_to_color: bool = False
    channel_order: ChannelOrder = "rgb"
    mean: tuple[float, ...] = (0.0,)
    deviation: tuple[float, ...] = (1.0,)

    def __post_init__(self) -> None:
        faults = []
        if not self.scale or not isfinite(self.scale):
            faults.append(f"scale must be a number other than 0, got {self.scale}")
        if not all(map(isfinite, (*self.mean, *self.deviation))):
            faults.append(f"mean and deviation must be finite, got {self.mean} and {self.deviation}")
        if not self.mean or not self.deviation or not all(self.deviation):
            faults.append(f"mean and deviation need a value, and deviation none that is 0, got {self.deviation}")
        if len({len(self.mean), len(self.deviation)} - {1}) > 1:
            faults.append(f"mean and deviation need as many values, or one, got {self.mean} and {self.deviation}")
        for name, size in (("resize", self.resize), ("crop", self.crop)):
            if size is not None and min(size) < 1:
                faults.append(f"{name} must be two positive numbers (height, width), got {size}")
        if faults:
            raise PlanError("images cannot be prepared so: " + "; ".join(faults))

    @property
    def bounds(self) -> tuple[float, float]:
        """Lowest and highest value that a pixel in [0, 1] can become, over all channels."""
        ends = (np.array([[0.0], [self.scale]]) - self.mean) / np.array(self.deviation)
        return float(ends.min()), float(ends.max())

    def taken_shape(self, image_shape: tuple[int, int, int]) -> tuple[int, int, int]:
        """Give the shape of prepared images, or raise a PlanError where the channels do not fit the options."""
        channels = image_shape[0]
        if self.gray_to_color and channels != 1:
            raise PlanError(f"gray_to_color takes images of 1 channel, got {channels}; nothing was asked: leave it out")
        channels = _COLORS if self.gray_to_color else channels
        if self.channel_order == "bgr" and channels != _COLORS:
            raise PlanError(f"channel_order = 'bgr' needs 3 channels, got {channels}; nothing was asked: leave it out")
        for name, values in (("mean", self.mean), ("deviation", self.deviation)):
            if len(values) not in (1, channels):
                raise PlanError(
                    f"{name} needs one value, or one for each of the {channels} channels that the teacher sees, got "
                    f"{len(values)}; nothing was asked: correct it"
                )
        size = self.resize or image_shape[1:]
        if self.crop is not None and (self.crop[0] > size[0] or self.crop[1] > size[1]):
            raise PlanError(
                f"images of {size} hold no middle of {self.crop}; nothing was asked: set resize, or no crop"
            )
        return (channels, *(self.crop or size))

    @property
    def description(self) -> str:
        """Everything, as a part of a fingerprint."""
        # What came later is named where it does something, so that older runs go on.
        later = {one.name for one in fields(self) if one.name in _LATER and getattr(self, one.name) == one.default}
        told = {name: value for name, value in asdict(self).items() if name not in later}
        # Numbers of numpy are written as those that they stand for.
        return json.dumps(told, default=lambda number: number.item())

    def __call__(self, images: Float[Tensor, "b c h w"], *, levels: int | None = None) -> Float[Tensor, "b c2 h2 w2"]:
        """Prepare images in [0, 1]; `levels` is the number of values that the teacher distinguishes, or None."""
        if self.resize is not None and tuple(images.shape[2:]) != self.resize:
            images = functional.interpolate(images, self.resize, mode=self.interpolation, antialias=True)
            # The bicubic one goes beyond the values that it is made of.
            images = images.clamp(0, 1) if self.interpolation == "bicubic" else images
        if self.crop is not None:
            images = _middle(images, self.crop)
        if levels is None:
            images = images * self.scale
        else:
            # At a scale of 255 and 256 levels exact whole numbers: a teacher that cuts off fractions changes nothing.
            images = (images * (levels - 1)).round() * (self.scale / (levels - 1))
        if self.gray_to_color:
            images = images.expand(-1, _COLORS, -1, -1)
        if self.channel_order == "bgr":
            images = images.flip(1)
        if self.mean == (0.0,) and self.deviation == (1.0,):
            return images
        mean, deviation = (images.new_tensor(values)[:, None, None] for values in (self.mean, self.deviation))
        return (images - mean) / deviation


class PreparedTeacher:
    """A teacher that takes images in [0, 1], whatever the one inside was trained on.

    Args:
        teacher: the one inside.
        preparation: what it needs.
        image_shape: channels, height and width before preparation.
        levels: number of values a pixel may take before preparation; by default those of the teacher inside.
            A search rounds points to them before it measures them, so its steps are no smaller than a level.
    """

    def __init__(
        self,
        teacher: Teacher,
        preparation: Preparation,
        *,
        image_shape: tuple[int, int, int],
        levels: int | None = None,
    ) -> None:
        check_arguments(PreparedTeacher.__init__, locals())
        inside = spec_of(teacher)
        taken = preparation.taken_shape(image_shape)
        if taken != tuple(inside.input_shape):
            raise PlanError(
                f"images of shape {image_shape} become {taken} when they are prepared, and the teacher takes "
                f"{tuple(inside.input_shape)}; nothing was asked: set input_shape, resize and gray_to_color to fit"
            )
        self._teacher, self._preparation = teacher, preparation
        self.spec: TeacherSpec = replace(
            inside,
            input_shape=image_shape,
            bounds=(0.0, 1.0),
            levels=inside.levels if levels is None else levels,
            fingerprint=f"{inside.fingerprint} prepared by {preparation.description} from {image_shape}",
        )

    def __call__(self, images: Float[Tensor, "b c h w"]) -> Int[Tensor, " b"]:
        with torch.no_grad():
            return self._teacher(self._preparation(images, levels=self.spec.levels))


class ServedTeacher:
    """A teacher that is asked as `service` says: with several calls in flight, threads ask it at once."""

    def __init__(self, teacher: Teacher, service: Service) -> None:
        check_arguments(ServedTeacher.__init__, locals())
        self._teacher = teacher
        self.spec: TeacherSpec = replace(spec_of(teacher), service=service)

    def __call__(self, images: Float[Tensor, "b c h w"]) -> Int[Tensor, " b"]:
        return self._teacher(images)


def _middle(images: Float[Tensor, "b c h w"], size: tuple[int, int]) -> Float[Tensor, "b c h2 w2"]:
    """Cut the middle out of images."""
    top, left = ((whole - part) // 2 for whole, part in zip(images.shape[2:], size, strict=True))
    return images[:, :, top : top + size[0], left : left + size[1]]
