"""Exact copies among images: which rows of a data set are one of some images, to the last bit."""

import torch

from db3kd.data import mapped
from db3kd.data.dataset import Dataset
from db3kd.tensors import Float, Int, Tensor, UInt8

_BYTES_OF_A_PART = 64 * 2**20


def copies_of(images: UInt8[Tensor, "k c h w"] | Float[Tensor, "k c h w"], among: Dataset) -> Int[Tensor, " m"]:
    """Give the rows of a data set that are one of some images, in their order."""
    found = [torch.zeros(0, dtype=torch.int64)]
    wanted, marks = {image.tobytes() for image in images.numpy()}, _marks(images)
    size = max(1, _BYTES_OF_A_PART // max(1, among.pixels[:1].nbytes))
    for rows in torch.arange(len(among)).split(size) if wanted else ():
        part = among.pixels[rows[0] : rows[-1] + 1]
        places, array = torch.isin(_marks(part), marks).nonzero()[:, 0], part.numpy()
        same = [array[place].tobytes() in wanted for place in places.tolist()]
        found.append(rows[places[torch.tensor(same, dtype=torch.bool)]])
        mapped.release(among.pixels)
    return torch.cat(found)


def _marks(images: UInt8[Tensor, "n c h w"] | Float[Tensor, "n c h w"]) -> Int[Tensor, " n"]:
    """A whole number for each image, of its middle line alone: of most images no more is read."""
    line = images[:, :, images.shape[2] // 2].flatten(1).contiguous()
    values = (line.view(torch.int32) if line.is_floating_point() else line).long()
    # Whole numbers wrap around, so that this is a hash.
    factors = torch.randint(-(2**62), 2**62, values.shape[1:], generator=torch.Generator().manual_seed(0))
    return (values * factors).sum(dim=1)
