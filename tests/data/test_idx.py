import gzip
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from db3kd.data import load
from db3kd.data.idx import parse_idx
from db3kd.errors import DataError
from made_files import idx_bytes, made_images, made_labels, write_idx_folder


@pytest.mark.parametrize(("kind", "first"), [("mnist", "0"), ("fashion-mnist", "T-shirt/top")])
def test_a_folder_in_the_format_is_read(tmp_path: Path, kind: str, first: str) -> None:
    folder = write_idx_folder(tmp_path / "own")
    train, test = load(f"{kind}:{folder}"), load(f"{kind}:{folder}", "test")
    assert (len(train), len(test)) == (20, 10)
    assert (train.name, train.ids[17], test.ids[3]) == ("own/train", "own/train/00017", "own/test/00003")
    assert torch.equal(train.pixels[:, 0], torch.from_numpy(made_images(20, (28, 28))))
    assert train.labels is not None
    assert train.labels.tolist() == made_labels(20).tolist()
    assert train.class_names[0] == first


def shorten(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-5])


@pytest.mark.parametrize(
    ("name", "damage", "says"),
    [
        ("train-images-idx3-ubyte.gz", shorten, r"train-images.*cannot be read to its end"),
        ("train-labels-idx1-ubyte", shorten, r"train-labels.*expected 28 bytes in all, got 23"),
        ("train-labels-idx1-ubyte", lambda path: path.write_bytes(b""), r"train-labels.*got nothing"),
        ("train-labels-idx1-ubyte", lambda path: path.write_bytes(idx_bytes(made_labels(7))), r"20 images.* 7 labels"),
        (
            "train-labels-idx1-ubyte",
            lambda path: path.write_bytes(idx_bytes(made_labels(20, 15))),
            r"train-labels.*label 14.*0 to 9",
        ),
        (
            "train-labels-idx1-ubyte",
            lambda path: path.write_bytes(idx_bytes(made_images(20, (28, 28)))),
            r"train-labels.*begin with 00 00 08 01, got 00 00 08 03.*swapped",
        ),
        (
            "train-images-idx3-ubyte.gz",
            lambda path: path.write_bytes(gzip.compress(idx_bytes(made_images(20, (28, 28))) + b"more")),
            r"train-images.*expected 15,696 bytes in all, got 15,700",
        ),
        ("train-images-idx3-ubyte.gz", Path.unlink, r"holds no train-images-idx3-ubyte\.gz"),
    ],
)
def test_a_damaged_file_is_named_and_refused(
    tmp_path: Path, name: str, damage: Callable[[Path], object], says: str
) -> None:
    folder = write_idx_folder(tmp_path)
    damage(folder / name)
    with pytest.raises(DataError, match=says):
        load(f"mnist:{folder}")
    assert len(load(f"mnist:{folder}", "test")) == 10


def test_a_header_that_promises_too_much_costs_no_memory() -> None:
    huge = bytes((0, 0, 8, 3)) + b"\xff" * 12
    with pytest.raises(DataError, match="truncated or damaged"):
        parse_idx(huge, 3, "huge")
