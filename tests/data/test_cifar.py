from pathlib import Path

import numpy as np
import pytest
import torch

from db3kd.data import load
from db3kd.errors import DataError
from made_files import cifar10_bytes, made_images, made_labels, write_cifar10_folder


def test_files_in_the_binary_format_are_read(tmp_path: Path) -> None:
    folder = write_cifar10_folder(tmp_path / "own", train=(20, 10))
    train, test = load(f"cifar10:{folder}"), load(f"cifar10:{folder}", "test")
    assert (len(train), len(test), train.image_shape) == (30, 10, (3, 32, 32))
    assert (train.name, train.ids[29], test.ids[0]) == ("own/train", "own/train/00029", "own/test/00000")
    both = np.concatenate([made_images(20, (3, 32, 32), seed=1), made_images(10, (3, 32, 32), seed=2)])
    assert torch.equal(train.pixels, torch.from_numpy(both))
    assert train.labels is not None
    assert train.labels.tolist() == [*range(10), *range(10), *range(10)]
    assert train.class_names[9] == "truck"


def test_a_record_is_a_label_and_the_planes_of_red_green_and_blue(tmp_path: Path) -> None:
    record = bytes([7]) + bytes([1] * 1024) + bytes([2] * 1024) + bytes([3] * 1023 + [4])
    (tmp_path / "test_batch.bin").write_bytes(record)
    dataset = load(f"cifar10:{tmp_path}", "test")
    assert dataset.pixels[0, :, 0, 0].tolist() == [1, 2, 3]
    assert dataset.pixels[0, 2, 31, 31] == 4
    assert dataset.labels is not None
    assert dataset.labels.tolist() == [7]


def test_batches_are_read_by_number(tmp_path: Path) -> None:
    folder = write_cifar10_folder(tmp_path, train=(1,) * 11)
    last = torch.from_numpy(made_images(1, (3, 32, 32), seed=11))
    assert torch.equal(load(f"cifar10:{folder}").pixels[10:], last)


def test_class_names_come_from_the_folder_where_it_has_them(tmp_path: Path) -> None:
    folder = write_cifar10_folder(tmp_path)
    meta = folder / "batches.meta.txt"
    meta.write_text("\n".join("abcdefghij") + "\n\n")
    assert load(f"cifar10:{folder}").class_names == tuple("abcdefghij")
    meta.write_text("a\nb\n")
    with pytest.raises(DataError, match=r"batches\.meta\.txt names 2 classes, expected 10"):
        load(f"cifar10:{folder}")
    meta.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match=r"batches\.meta\.txt is no text"):
        load(f"cifar10:{folder}")


def test_a_damaged_batch_is_named_and_refused(tmp_path: Path) -> None:
    folder = write_cifar10_folder(tmp_path)
    second = folder / "data_batch_2.bin"
    second.write_bytes(second.read_bytes()[:-100])
    with pytest.raises(DataError, match=r"data_batch_2\.bin.*records of 3,073 bytes, got 30,630"):
        load(f"cifar10:{folder}")
    second.write_bytes(b"")
    with pytest.raises(DataError, match=r"data_batch_2\.bin.*got 0 bytes"):
        load(f"cifar10:{folder}")
    labels = made_labels(10)
    labels[4] = 10
    second.write_bytes(cifar10_bytes(made_images(10, (3, 32, 32)), labels))
    with pytest.raises(DataError, match=r"data_batch_2\.bin.*got 10 in record 4"):
        load(f"cifar10:{folder}")
    second.unlink()
    assert len(load(f"cifar10:{folder}")) == 20


@pytest.mark.parametrize(("split", "wanted"), [("train", r"data_batch_1\.bin"), ("test", r"test_batch\.bin")])
def test_a_folder_without_batches_is_refused(tmp_path: Path, split: str, wanted: str) -> None:
    with pytest.raises(DataError, match=f"holds no {wanted}"):
        load(f"cifar10:{tmp_path}", "train" if split == "train" else "test")
