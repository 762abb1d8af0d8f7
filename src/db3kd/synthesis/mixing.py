"""Images made of a data set's own: mixtures of two, and noisy ones.

A teacher's decisions on them tell what lies between its classes, which the images themselves do not. Primers are
trained on them. Nothing is asked here.
"""

from collections.abc import Iterator

import torch

from db3kd.data import Dataset
from db3kd.tensors import Float, Tensor, UInt8

_NOISY_SHARE = 3
_MOST_NOISE = 0.3
_IMAGES_PER_STEP = 4096
_LEVELS = 255.0


def mixtures(images: Dataset, count: int, *, seed: int) -> Dataset:
    """Mix pairs of images in random proportions; every third one is a noisy image instead.

    Args:
        images: what they are made of.
        count: how many to make; as many as that may be made again, and are the same then.
        seed: of all choices.

    Returns:
        8-bit images without labels: they are rounded here, so that what is asked is what is kept.

    Source: mixtures after Zhang et al. (2018), "mixup", with a proportion uniform in [0, 1]; Gaussian noise of a
        standard deviation uniform in [0, 0.3].
    """
    generator = torch.Generator().manual_seed(seed)
    none = torch.zeros(0, *images.image_shape, dtype=torch.uint8)
    pixels = torch.cat([none, *_parts(images, count, generator)])
    ids = tuple(f"{images.name}/mixture/{seed}/{number:07}" for number in range(count))
    return Dataset(f"mixtures of {images.name}", ids, pixels, None, images.class_names)


def _parts(images: Dataset, count: int, generator: torch.Generator) -> Iterator[UInt8[Tensor, "b c h w"]]:
    for numbers in torch.arange(count).split(_IMAGES_PER_STEP):
        first = _draw(images, len(numbers), generator)
        second = _draw(images, len(numbers), generator)
        share = torch.rand(len(numbers), 1, 1, 1, generator=generator)
        noise = _MOST_NOISE * share * torch.randn(first.shape, generator=generator)
        noisy = (numbers % _NOISY_SHARE == 0)[:, None, None, None]
        mixed = torch.where(noisy, (first + noise).clamp(0, 1), torch.lerp(second, first, share))
        yield (mixed * _LEVELS).round().to(torch.uint8)


def _draw(images: Dataset, count: int, generator: torch.Generator) -> Float[Tensor, "b c h w"]:
    return images.images(torch.randint(len(images), (count,), generator=generator))
