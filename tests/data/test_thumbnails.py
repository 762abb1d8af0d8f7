"""Thumbnails are means of cells, of images of any kind, and the nearest one is found."""

import pytest
import torch

from db3kd.data import thumbnails
from db3kd.data.thumbnails import nearest


def test_a_thumbnail_holds_the_mean_of_each_cell() -> None:
    pixels = torch.zeros(2, 1, 14, 14, dtype=torch.uint8)
    pixels[0, 0, :2, :2] = torch.tensor([[0, 255], [255, 0]], dtype=torch.uint8)
    small = thumbnails.thumbnails(pixels)
    assert small.shape == (2, 49)
    assert small[0, 0] == pytest.approx(0.5)
    assert float(small.sum()) == pytest.approx(0.5)
    assert torch.allclose(thumbnails.thumbnails(pixels / 255), small)


@pytest.mark.parametrize("shape", [(1, 4, 3), (3, 7, 9), (3, 30, 20)])
def test_images_of_any_size_have_a_thumbnail_in_parts_too(
    shape: tuple[int, int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = torch.rand(20, *shape, generator=torch.Generator().manual_seed(0))
    whole = thumbnails.thumbnails(pixels)
    assert whole.shape == (20, shape[0] * min(7, shape[1]) * min(7, shape[2]))
    monkeypatch.setattr(thumbnails, "_PART", 3)
    assert torch.equal(thumbnails.thumbnails(pixels), whole)
    rows = torch.tensor([7, 3, 3, 19])
    assert torch.equal(thumbnails.thumbnails(pixels, rows), whole[rows])
    assert thumbnails.thumbnails(pixels[:0]).shape == (0, whole.shape[1])


def test_the_nearest_is_found_with_its_distance(monkeypatch: pytest.MonkeyPatch) -> None:
    images, others = torch.rand(50, 9, generator=torch.Generator().manual_seed(1)).split([40, 10])
    monkeypatch.setattr(thumbnails, "_PART", 7)
    places, squares = nearest(images, others)
    away = torch.cdist(images, others)
    assert torch.equal(places, away.argmin(dim=1))
    assert torch.allclose(squares, away.min(dim=1).values.square(), atol=1e-5)
    assert [len(found) for found in nearest(images[:0], others)] == [0, 0]
