import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from db3kd.data import Dataset, Numbered, from_arrays
from db3kd.data.dataset import draw
from db3kd.errors import DataError
from made_files import made_images, made_labels


def make(count: int = 12, labelled: bool = True) -> Dataset:
    return from_arrays(made_images(count, (1, 4, 5)), made_labels(count, 3) if labelled else None, "made")


def test_images_are_floats_in_the_unit_interval() -> None:
    dataset = from_arrays(np.arange(256, dtype=np.uint8).reshape(1, 16, 16))
    images = dataset.images()
    assert dataset.pixels.dtype == torch.uint8
    assert images.dtype == torch.float32
    assert images.flatten().tolist() == pytest.approx([value / 255 for value in range(256)])
    assert torch.equal((images * 255).round().to(torch.uint8), dataset.pixels)


def test_rows_and_slices_choose_images() -> None:
    dataset = make()
    rows = torch.tensor([7, 2])
    assert torch.equal(dataset.images(rows), dataset.images()[rows])
    assert torch.equal(dataset.images(slice(3, 5)), dataset.images()[3:5])


@pytest.mark.parametrize("rows", [None, slice(0, 4), torch.arange(4)])
def test_what_is_done_to_images_does_not_reach_the_data_set(rows: "torch.Tensor | slice | None") -> None:
    dataset = from_arrays(np.random.default_rng(0).random((6, 4, 4)))
    before = dataset.pixels.clone()
    dataset.images(rows).zero_()
    assert torch.equal(dataset.pixels, before)


@pytest.mark.parametrize("array", [np.zeros((2, 3, 3)), torch.zeros(2, 3, 3)])
def test_what_is_done_to_the_arrays_does_not_reach_the_data_set(array: "NDArray[np.float64] | torch.Tensor") -> None:
    dataset = from_arrays(array)
    array[:] = 1
    assert dataset.images().max() == 0


def test_a_subset_keeps_ids_pixels_and_labels_together() -> None:
    dataset = make()
    part = dataset.subset(torch.tensor([9, 1]))
    assert part.ids == ("made/00009", "made/00001")
    assert torch.equal(part.images(), dataset.images(torch.tensor([9, 1])))
    assert part.labels is not None
    assert part.labels.tolist() == [0, 1]
    assert len(part) == 2
    assert part.image_shape == (1, 4, 5)


def test_joined_images_stay_in_bytes_where_both_are_and_keep_the_labels_that_both_have() -> None:
    first, second = make().subset(torch.arange(3)), make().subset(torch.arange(3, 5))
    both = first.joined(second)
    assert (both.name, both.ids) == (first.name, (*first.ids, *second.ids))
    assert both.labels is not None
    assert both.labels.tolist() == [0, 1, 2, 0, 1]
    assert torch.equal(both.pixels, torch.cat([first.pixels, second.pixels]))
    other = Dataset("other", ("a", "b"), second.images(), None, ())
    mixed = first.joined(other)
    assert (mixed.name, mixed.labels) == (first.name, None)
    assert torch.equal(mixed.pixels, torch.cat([first.images(), other.pixels]))
    with pytest.raises(DataError, match="unique"):
        first.joined(first)


def test_joined_images_keep_the_names_of_classes_that_both_have() -> None:
    pixels, names = torch.zeros(1, 1, 2, 2), ("cat", "dog")
    first = Dataset("a", ("a",), pixels, torch.tensor([1]), names)
    assert first.joined(Dataset("b", ("b",), pixels, torch.tensor([0]), names)).class_names == names
    assert first.joined(Dataset("b", ("b",), pixels, None, ())).class_names == names
    assert first.joined(Dataset("b", ("b",), pixels, torch.tensor([5]), ())).class_names == ()


def test_a_subset_of_nothing_is_a_data_set() -> None:
    assert len(make().subset(torch.tensor([], dtype=torch.int64))) == 0


def test_the_digest_tells_contents_apart_and_only_contents() -> None:
    images, labels = made_images(6, (1, 4, 5)), made_labels(6)
    same = [from_arrays(images, labels, "a"), from_arrays(torch.from_numpy(images), labels.astype(np.int32), "a")]
    assert same[0].digest == same[1].digest
    changed = images.copy()
    changed[5, 0, 3, 4] ^= 1
    others = [
        from_arrays(changed, labels, "a"),
        from_arrays(images, labels[::-1].copy(), "a"),
        from_arrays(images, None, "a"),
        from_arrays(images, labels, "b"),
        from_arrays(images.reshape(6, 1, 5, 4), labels, "a"),
        from_arrays(images / 255, labels, "a"),
        from_arrays(images[:5], labels[:5], "a"),
    ]
    assert len({same[0].digest, *(other.digest for other in others)}) == 1 + len(others)


def test_the_digest_never_changes() -> None:
    dataset = from_arrays(np.arange(8, dtype=np.uint8).reshape(2, 2, 2), np.array([0, 1]))
    assert dataset.digest == "08d4d9726c5583125807e55fa09bc81fa57ec0ef83dd8026d83a8e038c2fe7cd"


def test_showing_a_data_set_does_not_print_its_images() -> None:
    assert len(repr(make(1000))) < 100


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ((2, 28, 20), (1, 28, 20)),
        ((2, 1, 28, 28), (1, 28, 28)),
        ((2, 28, 28, 1), (1, 28, 28)),
        ((2, 3, 32, 30), (3, 32, 30)),
        ((2, 32, 30, 3), (3, 32, 30)),
        ((2, 3, 8, 3), (3, 8, 3)),
        ((2, 16, 8, 8), (16, 8, 8)),
    ],
)
def test_axes_are_brought_into_order(given: tuple[int, ...], stored: tuple[int, ...]) -> None:
    assert from_arrays(np.zeros(given, dtype=np.uint8)).image_shape == stored


def test_channels_last_keeps_each_pixel_in_its_place() -> None:
    images = made_images(3, (6, 5, 3))
    dataset = from_arrays(images)
    assert dataset.pixels[2, 1, 5, 4] == images[2, 5, 4, 1]
    assert dataset.pixels.is_contiguous()


def test_other_byte_orders_and_widths_are_read() -> None:
    dataset = from_arrays(np.full((1, 2, 2), 0.25, dtype=">f8"), np.array([3], dtype=">i2"))
    assert dataset.images().flatten().tolist() == [0.25] * 4
    assert dataset.labels is not None
    assert (dataset.labels.dtype, dataset.labels.tolist()) == (torch.int64, [3])


@pytest.mark.parametrize(
    ("images", "says"),
    [
        (np.zeros((2, 784), dtype=np.uint8), r"\(2, 784\)"),
        (np.zeros((2, 4, 4), dtype=np.int64), "int64"),
        (np.zeros((2, 4, 4), dtype=bool), "bool"),
        (np.array([[["a"]]]), "numbers"),
        (np.full((2, 4, 4), 255.0), r"255.*divide"),
        (np.full((2, 4, 4), -0.1), r"-0\.1"),
        (np.full((2, 4, 4), np.nan), "nan"),
        (np.zeros((2, 0, 4), dtype=np.uint8), "at least one pixel"),
    ],
)
def test_images_that_cannot_be_are_refused(images: NDArray[np.generic], says: str) -> None:
    with pytest.raises(DataError, match=says):
        from_arrays(images)


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        (np.zeros(3, dtype=np.int64), r"\(2,\).*\(3,\)"),
        (np.zeros((2, 10), dtype=np.int64), "one-hot"),
        (np.zeros(2), "whole numbers"),
        (np.array([True, False]), "whole numbers"),
        (np.array([0, -1]), "-1"),
        (np.array([0, 2]), "2 class names"),
    ],
)
def test_labels_that_cannot_be_are_refused(labels: NDArray[np.generic], says: str) -> None:
    with pytest.raises(DataError, match=says):
        from_arrays(np.zeros((2, 4, 4), dtype=np.uint8), labels, class_names=("cat", "dog"))


def test_ids_that_do_not_fit_are_refused() -> None:
    pixels = torch.zeros(2, 1, 2, 2)
    with pytest.raises(DataError, match="twice"):
        Dataset("made", ("a", "a"), pixels, None, ())
    with pytest.raises(DataError, match="as many ids, got 1"):
        Dataset("made", ("a",), pixels, None, ())


def test_a_larger_draw_holds_the_smaller_and_a_seed_decides() -> None:
    ids = Numbered("made", 200)
    small, large = draw(ids, 20, seed=1).tolist(), draw(ids, 50, seed=1).tolist()
    assert set(small) < set(large)
    assert large == sorted(set(large))
    assert draw(ids, 20, seed=2).tolist() != small
    assert draw(ids, 500, seed=1).tolist() == list(range(200))


def test_a_draw_never_changes() -> None:
    assert draw(Numbered("fashion-mnist/train", 60_000), 5, seed=0).tolist() == [1776, 9639, 23511, 38349, 59444]
