"""An image classifier of `transformers` as a teacher, from a folder or the hub, with what its processor does to images.

What the processor's file says becomes a `Preparation`; whether that comes to the same is tried on a picture at once.
Needs the extra `huggingface`. No code of the model's own is run, and no pickle is read.
"""

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from db3kd.arguments import check_arguments
from db3kd.errors import PlanError, needing
from db3kd.models import parameter_count
from db3kd.teachers.preparation import Interpolation, Preparation, PreparedTeacher
from db3kd.teachers.protocol import TeacherSpec
from db3kd.teachers.torch_module import TorchTeacher
from db3kd.tensors import Float, Int, Tensor

_log = logging.getLogger(__name__)

_INTERPOLATIONS: Mapping[int, Interpolation] = {1: "bicubic", 2: "bilinear", 3: "bicubic"}
_COLORS = 3
# Of 255: the processor rounds to whole levels in between, and a picture of another part or range is further off.
_ROUNDING = 4.0
# From this side on, some processors stretch images and cut nothing off.
_STRETCHED = 384


class HuggingFaceTeacher:
    """A classifier of `transformers` that gives its decisions only.

    Args:
        name: a folder that `save_pretrained` wrote, of the model and its processor, or a name on the hub.
        input_shape: channels, height and width of the images that it is asked about; by default the size to which its
            processor brings images before it cuts out the middle. Gray images are shown to it in three channels.
        max_batch: most images a call.
        device: where it runs.
    """

    def __init__(
        self,
        name: str | Path,
        *,
        input_shape: tuple[int, int, int] | None = None,
        max_batch: int = 96,
        device: str = "cpu",
    ) -> None:
        check_arguments(HuggingFaceTeacher.__init__, locals())
        model, processor = _load(str(name))
        sizes = _Sizes.read(processor.to_dict(), str(name))
        channels = int(getattr(getattr(model.config, "vision_config", model.config), "num_channels", _COLORS))
        shape = input_shape or (channels, *sizes.usual(model.config, str(name)))
        preparation = _preparation(processor.to_dict(), sizes, shape, channels)
        labels = [model.config.id2label.get(number, "") for number in range(model.config.num_labels)]
        names = tuple(" ".join(str(label).split()) or str(number) for number, label in enumerate(labels))
        inside = TorchTeacher(
            _Scores(model),
            input_shape=preparation.taken_shape(shape),
            num_classes=int(model.config.num_labels),
            bounds=preparation.bounds,
            max_batch=max_batch,
            device=device,
            class_names=() if names[0] == "LABEL_0" else names,
        )
        self._teacher = PreparedTeacher(inside, preparation, image_shape=shape)
        self.spec: TeacherSpec = self._teacher.spec
        self.preparation: Preparation = preparation
        self.parameters: int = parameter_count(model)
        _compare(processor, preparation, shape, str(name))
        _log.info("%s: images of %s are prepared by %s", name, shape, preparation.description)

    def __call__(self, images: Float[Tensor, "b c h w"]) -> Int[Tensor, " b"]:
        """Decide; see `Teacher`."""
        return self._teacher(images)


class _Scores(nn.Module):
    """The scores of a model, which returns more."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        self.train(model.training)

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k"]:
        scores: Tensor = self.model(pixel_values=images).logits
        return scores


def _load(name: str) -> tuple[Any, Any]:
    """Load a model in eval mode, and its processor."""
    with needing("huggingface", "a teacher of Hugging Face"):
        from transformers import AutoImageProcessor, AutoModelForImageClassification
    local = os.path.isdir(name)  # noqa: PTH112  # False, too, for a name that no folder can have
    if not local and (name.count("/") > 1 or name.startswith((".", "~", "/"))):
        raise PlanError(
            f"there is no folder {name}, and no model on the hub has such a name; nothing was asked: correct it"
        )
    try:
        processor = AutoImageProcessor.from_pretrained(name, local_files_only=local, backend="pil")
        model, told = AutoModelForImageClassification.from_pretrained(
            name, local_files_only=local, use_safetensors=True, output_loading_info=True
        )
    except Exception as error:  # the library's, the hub's and the network's share no class
        raise PlanError(
            f"{name} cannot be loaded as an image classifier with its processor ({type(error).__name__}: "
            f"{' '.join(str(error).split())[:400]}); nothing was asked: name a folder or a model on the hub with "
            "config.json, model.safetensors and preprocessor_config.json, or reach for it as a function"
        ) from error
    if told["missing_keys"] or told["mismatched_keys"]:
        named = ", ".join(sorted(map(str, told["missing_keys"]))[:3])
        raise PlanError(
            f"{name} lacks weights of its classifier ({named}), which would be drawn at random; nothing was asked: "
            "name a model that was trained to classify images"
        )
    return model, processor


@dataclass(frozen=True)
class _Sizes:
    """How a processor brings images to size: to a fixed one or by the shorter side, and the middle that it takes."""

    fixed: tuple[int, int] | None = None
    shorter: int | None = None
    crop: tuple[int, int] | None = None

    @classmethod
    def read(cls, told: Mapping[str, Any], name: str) -> "_Sizes":
        """Read what a processor says of itself."""
        size, crop = dict(told.get("size") or {}), dict(told.get("crop_size") or {})
        middle = (int(crop["height"]), int(crop["width"])) if told.get("do_center_crop") and "height" in crop else None
        if not told.get("do_resize"):
            return cls(crop=middle)
        if size.get("height") and size.get("width"):
            return cls((int(size["height"]), int(size["width"])), None, middle)
        side, share = size.get("shortest_edge"), told.get("crop_pct")
        if side is None:
            raise PlanError(
                f"the processor of {name} resizes to {size}, which differs from image to image; nothing was asked: "
                "resize the images first, and ask the model as a function"
            )
        if share and side >= _STRETCHED and middle is None:
            return cls((int(side), int(side)), None, None)
        if share:
            return cls(None, int(side / share), middle or (int(side), int(side)))
        return cls(None, int(side), middle)

    def usual(self, config: Any, name: str) -> tuple[int, int]:
        """The size of images that need no other resizing."""
        if self.fixed is not None:
            return self.fixed
        if self.shorter is not None:
            return self.shorter, self.shorter
        stated = getattr(config, "image_size", None)
        found = self.crop or ((stated, stated) if isinstance(stated, int) else stated)
        if found is None:
            raise PlanError(f"{name} says no size of images; nothing was asked: give input_shape")
        return int(found[0]), int(found[1])

    def resize(self, size: tuple[int, int]) -> tuple[int, int] | None:
        """The size that images of one size are brought to; None where that is theirs."""
        if self.shorter is None:
            return None if self.fixed == size else self.fixed
        least = min(size)
        height, width = (self.shorter if side == least else int(self.shorter * side / least) for side in size)
        return None if (height, width) == size else (height, width)


def _preparation(told: Mapping[str, Any], sizes: _Sizes, shape: tuple[int, int, int], channels: int) -> Preparation:
    """What a processor does to images of one shape."""
    scale = round(255 * told.get("rescale_factor", 1 / 255), 9) if told.get("do_rescale", True) else 255.0
    normal = bool(told.get("do_normalize"))
    mean, deviation = (_values(told.get(key)) if normal else None for key in ("image_mean", "image_std"))
    mean, deviation = mean or (0.0,), deviation or (1.0,)
    if told.get("do_rescale", True) and told.get("rescale_offset"):
        mean = tuple(one + 1 for one in mean)
    if told.get("include_top"):
        deviation = tuple(one * one for one in deviation)
    return Preparation(
        resize=sizes.resize((shape[1], shape[2])),
        interpolation=_INTERPOLATIONS.get(int(told.get("resample") or 2), "bilinear"),
        crop=sizes.crop,
        scale=scale,
        gray_to_color=shape[0] == 1 and channels == _COLORS,
        channel_order="bgr" if told.get("do_flip_channel_order") else "rgb",
        mean=mean,
        deviation=deviation,
    )


def _values(stated: Any) -> tuple[float, ...]:
    return tuple(map(float, stated)) if isinstance(stated, list | tuple) else () if stated is None else (float(stated),)


def _compare(processor: Any, preparation: Preparation, shape: tuple[int, int, int], name: str) -> None:
    """Refuse a processor that does other things to a picture than the preparation."""
    coarse = torch.rand(1, shape[0], 4, 4, generator=torch.Generator().manual_seed(0))
    smooth = functional.interpolate(coarse, shape[1:], mode="bilinear", align_corners=True)
    picture = (255 * smooth).round()
    shown = picture.expand(-1, _COLORS, -1, -1) if preparation.gray_to_color else picture
    pixels = shown[0].permute(1, 2, 0).numpy().astype(np.uint8)
    try:
        found = processor(pixels, return_tensors="pt", input_data_format="channels_last")["pixel_values"]
    except Exception as error:  # whatever the processor raises
        raise PlanError(
            f"the processor of {name} takes no image of shape {shape} ({type(error).__name__}: {error}); nothing was "
            "asked: give another input_shape"
        ) from error
    mine = preparation(picture / 255)
    allowed = _ROUNDING / 255 * abs(preparation.scale) / min(map(abs, preparation.deviation))
    off = float((mine - found).abs().max()) if mine.shape == found.shape else float("inf")
    if not off <= allowed:
        raise PlanError(
            f"the processor of {name} ({type(processor).__name__}) does more to images than its settings say: from "
            f"{shape} it makes {tuple(found.shape[1:])} and the settings {tuple(mine.shape[1:])}, which differ by "
            f"{off:.3g}; nothing was asked: ask the model as a function (python:package.module:name)"
        )
