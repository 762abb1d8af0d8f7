"""Whatever a user has in Python becomes the same data set, or an error of ours."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader, IterableDataset, Subset, TensorDataset

from db3kd.data import Dataset, ImageOptions, dataset_of, from_arrays
from db3kd.errors import DataError, Db3kdError, PlanError
from made_files import made_images
from made_pictures import ODD, blocks, picture, write_folder

SHAPE = (3, 16, 16)
PIXELS = np.stack([blocks(16, 16, seed=number) for number in range(12)])
PLANES = torch.from_numpy(PIXELS.transpose(0, 3, 1, 2).copy())
LABELS = [number % 3 for number in range(12)]


class Mapped:
    """A map-style data set, as torch's and Hugging Face's are."""

    def __init__(self, items: list[Any], **attributes: Any) -> None:
        self._items = items
        vars(self).update(attributes)

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, row: int) -> Any:
        item = self._items[row]
        if isinstance(item, Exception):
            raise item
        return item


class Stream(IterableDataset[Any]):
    def __iter__(self) -> Any:
        return iter(PLANES)


class Names:
    names = ("ant", "bee", "cow")


def _encoded(image: Image.Image) -> bytes:
    kept = io.BytesIO()
    image.save(kept, "PNG")
    return kept.getvalue()


PICTURES = [Image.fromarray(one) for one in PIXELS]
LABELLED = list(zip(PICTURES, LABELS, strict=True))
FORMS: dict[str, Any] = {
    "pictures": PICTURES,
    "arrays [h w c]": list(PIXELS),
    "arrays [c h w]": list(PLANES.numpy()),
    "tensors": list(PLANES),
    "an array": PIXELS,
    "a tensor": PLANES,
    "a tuple": tuple(PICTURES),
    "a data set of pictures": Mapped(LABELLED),
    "a data set of tensors": Mapped(list(zip(PLANES, LABELS, strict=True))),
    "a data set without labels": Mapped(PICTURES),
    "mappings": Mapped([{"image": image, "label": label} for image, label in LABELLED]),
    "mappings of img": Mapped([{"img": image, "label": np.int64(label), "id": 3} for image, label in LABELLED]),
    "mappings of pixel_values": Mapped([{"pixel_values": pixels, "labels": torch.tensor(1)} for pixels in PLANES]),
    "not decoded": Mapped([{"image": {"bytes": _encoded(image), "path": None}} for image in PICTURES]),
    "a tensor data set": TensorDataset(PLANES, torch.tensor(LABELS)),
    "a tensor data set without labels": TensorDataset(PLANES),
    "a subset": Subset(TensorDataset(PLANES), range(12)),
    "a loader": DataLoader(TensorDataset(PLANES, torch.tensor(LABELS)), batch_size=5, shuffle=True),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_pixels_unchanged(form: str) -> None:
    for wanted in (SHAPE, None):
        dataset = dataset_of(FORMS[form], wanted=wanted)
        assert torch.equal(dataset.pixels, PLANES)
        assert dataset.reading is None or dataset.reading.sentences == ()


@pytest.mark.parametrize(
    "form", ["a data set of pictures", "a data set of tensors", "mappings", "mappings of img", "a loader"]
)
def test_labels_are_taken_over(form: str) -> None:
    labels = dataset_of(FORMS[form]).labels
    assert labels is not None
    assert labels.tolist() == LABELS
    assert dataset_of(FORMS["pictures"]).labels is None


@pytest.mark.parametrize("labels", [["a", "b"], [0, -1], [True, False], [{"boxes": []}] * 2, [0, None], [0.5, 1.0]])
def test_what_is_no_class_is_no_label(labels: list[Any]) -> None:
    assert dataset_of(Mapped(list(zip(PICTURES[:2], labels, strict=True)))).labels is None


def test_class_names_come_from_the_data_set() -> None:
    assert dataset_of(Mapped(LABELLED, classes=["ant", "bee", "cow"])).class_names == ("ant", "bee", "cow")
    named = Mapped([{"image": image, "label": label} for image, label in LABELLED], features={"label": Names()})
    assert dataset_of(named).class_names == ("ant", "bee", "cow")
    for wrong in (["ant"], "ant", 5, None):
        assert dataset_of(Mapped(LABELLED, classes=wrong)).class_names == ()


def test_paths_in_a_list_a_path_and_its_text(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "photos", plain=10)
    paths = sorted(folder.iterdir())
    listed, whole = dataset_of(paths, wanted=SHAPE), dataset_of(folder, wanted=SHAPE)
    assert torch.equal(listed.pixels, whole.pixels)
    assert listed.ids == tuple(path.as_posix() for path in paths)
    assert torch.equal(dataset_of(str(folder), wanted=SHAPE).pixels, whole.pixels)
    assert torch.equal(dataset_of(list(map(str, paths)), wanted=SHAPE).pixels, whole.pixels)
    assert torch.equal(dataset_of(paths[0], wanted=SHAPE).pixels, whole.pixels[:1])
    assert torch.equal(dataset_of(Mapped(list(paths)), wanted=SHAPE).pixels, whole.pixels)
    with pytest.raises(DataError, match="names 1 images more than once"):
        dataset_of([*paths, paths[0]], wanted=SHAPE)
    with pytest.raises(PlanError, match="there is no data set 'photoz'"):
        dataset_of("photoz")


def test_columns_of_paths_and_pictures_are_lists(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    folder = write_folder(tmp_path, plain=5)
    paths = sorted(map(str, folder.iterdir()))
    listed = dataset_of(paths, wanted=SHAPE)
    table = pandas.DataFrame({"path": ["", *paths], "label": 0})
    for column in (table.path[1:], table.path[1:].to_numpy(), np.array(paths), np.array(paths, dtype=object)):
        found = dataset_of(column, wanted=SHAPE)
        assert (found.ids, found.digest) == (listed.ids, listed.digest)
    pictures = np.empty(12, dtype=object)
    pictures[:] = PICTURES
    assert torch.equal(dataset_of(pictures).pixels, PLANES)
    with pytest.raises(DataError, match=r"first items of pandas.DataFrame are no images \(it has no "):
        dataset_of(table)


def test_one_picture_is_not_taken_for_many_gray_ones() -> None:
    for one, wanted in ((PIXELS[0], SHAPE), (PIXELS[0], None), (PLANES[0], SHAPE)):
        with pytest.raises(DataError, match=r"one image in colour.*give one image in a list"):
            dataset_of(one, wanted=wanted)
        assert len(dataset_of([one], wanted=wanted)) == 1
    for narrow, shape in (((20, 20, 3), (1, 20, 3)), ((20, 4, 4), None), ((3, 16, 16), (1, 16, 16))):
        assert len(dataset_of(np.zeros(narrow, dtype=np.uint8), wanted=shape)) == narrow[0]


def test_pictures_of_all_kinds_in_a_list_are_brought_to_what_the_teacher_takes(tmp_path: Path) -> None:
    folder = write_folder(tmp_path, plain=0)
    kept = [Image.open(folder / name) for name in ODD]
    sizes = [image.size for image in kept]
    dataset = dataset_of(kept, wanted=(3, 32, 32))
    assert torch.equal(dataset.pixels, dataset_of([folder / name for name in ODD], wanted=(3, 32, 32)).pixels)
    assert [image.size for image in kept] == sizes
    assert dataset_of(kept, wanted=(1, 8, 8)).image_shape == (1, 8, 8)
    assert dataset_of(kept).image_shape == (3, *sizes[0][::-1])
    for image in kept:
        image.close()


def test_8_bit_arrays_of_other_sizes_are_pictures_too() -> None:
    mixed = [made_images(1, (side, side, 3))[0] for side in (16, 20, 24)]
    assert dataset_of(mixed, wanted=SHAPE).image_shape == SHAPE
    assert dataset_of(PIXELS, wanted=(1, 8, 8)).image_shape == (1, 8, 8)
    assert dataset_of(PIXELS, options=ImageOptions(size=(4, 5), color="gray")).image_shape == (1, 4, 5)
    alpha = np.concatenate([PIXELS, np.zeros((12, 16, 16, 1), dtype=np.uint8)], axis=3)
    assert int(dataset_of(alpha, wanted=SHAPE).pixels.min()) == 255, "transparent, so that the background shows"
    two = np.zeros((2, 2, 9, 9), dtype=np.uint8)
    assert dataset_of(two, wanted=(2, 9, 9)).image_shape == (2, 9, 9)
    with pytest.raises(DataError, match="2 channels are no pictures"):
        dataset_of(two, wanted=SHAPE)


def test_floating_point_images_pass_as_they_are_and_are_never_scaled() -> None:
    unit = PLANES.to(torch.float32) / 255
    for given in (unit, list(unit), unit.numpy(), list(unit.double().numpy()), TensorDataset(unit)):
        dataset = dataset_of(given, wanted=SHAPE)
        assert dataset.pixels.dtype == torch.float32
        assert torch.equal(dataset.pixels, unit)
    assert dataset_of(unit, wanted=(3, 8, 8)).image_shape == SHAPE, "refused when the teacher is known"
    with pytest.raises(DataError, match=r"floating point.*PILToTensor, not ToTensor, or no transform"):
        dataset_of(unit, options=ImageOptions(size=(8, 8)))
    with pytest.raises(DataError, match=r"floating point.*cannot be brought to \(3, 8, 8\).*PILToTensor"):
        dataset_of(list(unit), options=ImageOptions(size=(8, 8)))
    with pytest.raises(DataError, match=r"floating point is not scaled: give 8-bit images \(torchvision: PILToTensor"):
        dataset_of([unit[0], unit[0, :, :8]], wanted=SHAPE)
    with pytest.raises(DataError, match=r"must lie in \[0, 1\]"):
        dataset_of([unit[0] * 3 - 1], wanted=SHAPE)


def test_a_broken_item_is_left_out_with_its_label() -> None:
    items: list[Any] = list(LABELLED)
    items[4] = OSError("cannot identify image file")
    for broken in (OSError("cannot identify"), RuntimeError("worker"), ("no picture", 1), (None, 0), {"text": "x"}):
        items[4] = broken
        dataset = dataset_of(Mapped(items), wanted=SHAPE)
        assert len(dataset) == 11
        assert dataset.labels is not None
        assert dataset.labels.tolist() == LABELS[:4] + LABELS[5:]
        assert dataset.reading is not None
        assert list(dataset.reading.broken) == ["images/00004"]
        with pytest.raises(DataError, match="images/00004 cannot be read"):
            dataset_of(Mapped(items), wanted=SHAPE, options=ImageOptions(broken="stop"))
    items[0] = ValueError("the first one too")
    assert len(dataset_of(Mapped(items), options=ImageOptions(broken_share=0.2))) == 10


def test_a_data_set_of_ours_is_given_back() -> None:
    own = from_arrays(PIXELS)
    assert dataset_of(own, wanted=(1, 3, 3)) is own


@pytest.mark.parametrize(
    "given",
    [
        5,
        None,
        object(),
        b"bytes",
        {"image": PICTURES},
        {1, 2},
        iter(PICTURES),
        (one for one in PICTURES),
        Stream(),
        DataLoader(Stream()),
        Dataset,
        [],
        (),
        ["", 3],
        [[1, 2], [3]],
        [None],
        [1.5, 2.5],
        Mapped([]),
        Mapped([KeyError("image")]),
        Mapped([{"text": "x"}]),
        np.array(5),
        np.array(["a", "b"]),
        np.array([None]),
        np.zeros((2, 2)),
        np.zeros((2, 3, 4, 5, 6)),
        np.zeros((3, 4, 4), dtype=np.int32),
        np.zeros((3, 4, 4), dtype=complex),
        np.full((3, 4, 4), np.nan),
        np.zeros((3, 0, 4)),
        torch.zeros(3, 4, 4, dtype=torch.int64),
        torch.zeros(3, 4, 4, dtype=torch.bool),
        torch.full((3, 4, 4), 7.0),
        torch.zeros(2, 2).to_sparse(),
        [torch.zeros(4, 4, dtype=torch.int16)],
        [torch.zeros(4, 4), torch.zeros(4, 4, dtype=torch.uint8)],
        [np.zeros((2, 2, 2, 2), dtype=np.uint8)],
        [np.zeros((0, 4), dtype=np.uint8)],
        [picture(4, 4), 3],
        "",
        "mnist-6k",
        "imagefolder:/nowhere",
        "npz:/nowhere.npz",
        "~nobody-here/x",
        "a\0b",
        Path("/nowhere"),
        ["/nowhere/a.png"],
        ["a\0b.png"],
    ],
    ids=lambda given: type(given).__name__,
)
@pytest.mark.parametrize("wanted", [None, SHAPE])
def test_everything_else_is_an_error_of_ours(given: Any, wanted: tuple[int, int, int] | None) -> None:
    with pytest.raises(Db3kdError) as raised:
        dataset_of(given, wanted=wanted)
    assert len(str(raised.value)) > 30
