"""Mixtures of two images, and noisy ones.

A teacher's decisions on them tell what lies between its classes, which the images themselves do not.
"""

import torch

from db3kd.answers import MIXTURE, Answers, Candidates
from db3kd.arguments import check_arguments
from db3kd.data import Dataset
from db3kd.data.dataset import as_bytes
from db3kd.tensors import Float, Tensor

_NOISY_SHARE = 3
_MOST_NOISE = 0.3
_IMAGES_PER_STEP = 4096


def mixtures(images: Dataset | Answers, count: int, *, seed: int) -> Candidates:
    """Mix pairs of images in random proportions; every third one is a noisy image instead.

    Of answers, those that are set aside are left out. As many with the same seed are the same images again.

    Source: mixtures after Zhang et al. (2018), "mixup", with a proportion uniform in [0, 1]; Gaussian noise of a
        standard deviation uniform in [0, 0.3].
    """
    check_arguments(mixtures, locals())
    generator = torch.Generator().manual_seed(int(seed))
    parents = torch.arange(len(images)) if isinstance(images, Dataset) else (~images.aside).nonzero()[:, 0]
    source = images if isinstance(images, Dataset) else images.images

    def draw(number: int) -> Float[Tensor, "b c h w"]:
        return source.images(parents[torch.randint(len(parents), (number,), generator=generator)])

    parts = [torch.zeros(0, *source.image_shape, dtype=torch.uint8)]
    for numbers in torch.arange(count).split(_IMAGES_PER_STEP):
        first, second = draw(len(numbers)), draw(len(numbers))
        share = torch.rand(len(numbers), 1, 1, 1, generator=generator)
        noise = _MOST_NOISE * share * torch.randn(first.shape, generator=generator)
        noisy = (numbers % _NOISY_SHARE == 0)[:, None, None, None]
        parts.append(as_bytes(torch.where(noisy, (first + noise).clamp(0, 1), torch.lerp(second, first, share))))
    ids = tuple(f"{source.name}/{MIXTURE}/{seed}/{number:07}" for number in range(count))
    return Candidates(torch.cat(parts), (MIXTURE,) * count, ids)
