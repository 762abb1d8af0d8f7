import logging
from pathlib import Path

import pytest
import torch
from PIL import Image

from db3kd.data import ImageOptions, load
from db3kd.errors import DataError
from made_files import Bytes, made_images


def write(path: Path, pixels: Bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def classes(tmp_path: Path) -> Path:
    root = tmp_path / "animals"
    # Written in another order than the one they are read in.
    for number, name in enumerate(["dog/b.png", "cat/z.png", "dog/a/deep.png", "cat/a.png"]):
        write(root / name, made_images(1, (5, 7, 3), seed=number)[0])
    return root


def test_class_folders_give_labels_and_paths_give_ids(classes: Path) -> None:
    dataset = load(f"imagefolder:{classes}")
    assert dataset.name == "animals/train"
    assert dataset.ids == ("cat/a.png", "cat/z.png", "dog/a/deep.png", "dog/b.png")
    assert dataset.class_names == ("cat", "dog")
    assert dataset.labels is not None
    assert dataset.labels.tolist() == [0, 0, 1, 1]
    assert dataset.image_shape == (3, 5, 7)
    assert torch.equal(dataset.pixels[0].permute(1, 2, 0), torch.from_numpy(made_images(1, (5, 7, 3), seed=3)[0]))


def test_a_flat_folder_is_unlabelled(tmp_path: Path) -> None:
    for name in ("b.png", "a.PNG"):
        write(tmp_path / name, made_images(1, (4, 4))[0])
    dataset = load(f"imagefolder:{tmp_path}")
    assert dataset.ids == ("a.PNG", "b.png")
    assert dataset.labels is None
    assert dataset.class_names == ()
    assert dataset.image_shape == (1, 4, 4)


def test_train_and_test_in_one_folder_are_the_splits(tmp_path: Path) -> None:
    for name in ("train/cat/a.png", "train/dog/a.png", "train/eel/a.png", "test/dog/a.png", "test/eel/b.png"):
        write(tmp_path / name, made_images(1, (4, 4))[0])
    train, test = load(f"imagefolder:{tmp_path}"), load(f"imagefolder:{tmp_path}", "test")
    assert train.ids == ("train/cat/a.png", "train/dog/a.png", "train/eel/a.png")
    assert test.ids == ("test/dog/a.png", "test/eel/b.png")
    assert test.labels is not None
    # A class that the test split lacks still has its number.
    assert test.labels.tolist() == [1, 2]
    assert test.class_names == train.class_names == ("cat", "dog", "eel")
    write(tmp_path / "test/fox/a.png", made_images(1, (4, 4))[0])
    with pytest.raises(DataError, match=r"test/fox is a class that .*train does not have"):
        load(f"imagefolder:{tmp_path}", "test")


def test_a_missing_split_is_an_error_that_says_what_to_do(classes: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"has no test split.*move the images into train and test"):
        load(f"imagefolder:{classes}", "test")
    write(tmp_path / "half/train/cat/a.png", made_images(1, (4, 4))[0])
    with pytest.raises(DataError, match=r"has no train split.*got \['train'\]"):
        load(f"imagefolder:{tmp_path / 'half'}")


def test_a_folder_that_is_as_wanted_is_not_spoken_of(classes: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="db3kd"):
        same = load(str(classes), wanted=(3, 5, 7))
    assert same.digest == load(f"imagefolder:{classes}").digest
    assert caplog.text == ""


def test_without_a_teacher_all_images_must_have_one_size_or_it_is_said(classes: Path) -> None:
    write(classes / "dog/c.png", made_images(1, (5, 8))[0])
    with pytest.raises(DataError, match=r"have 2 sizes.*5x7 \(4\), 5x8 \(1\).*say it with size"):
        load(str(classes))
    assert load(str(classes), options=ImageOptions(size=(6, 6))).image_shape == (3, 6, 6)
    (classes / "dog/c.png").unlink()
    write(classes / "dog/d.png", made_images(1, (5, 7))[0])
    assert load(str(classes)).image_shape == (3, 5, 7), "gray among colour"
    assert load(str(classes), options=ImageOptions(color="gray")).image_shape == (1, 5, 7)


def test_a_limit_decodes_no_other_files(classes: Path) -> None:
    whole = load(str(classes))
    part = load(str(classes), limit=2, seed=1)
    rows = torch.tensor([whole.row_of(name) for name in part.ids])
    assert torch.equal(part.pixels, whole.pixels[rows])
    for name in set(whole.ids) - set(part.ids):
        (classes / name).write_bytes(b"")
    assert load(str(classes), limit=2, seed=1).digest == part.digest


def test_files_that_are_no_images_are_left_out_and_told(classes: Path, caplog: pytest.LogCaptureFixture) -> None:
    (classes / "cat/notes.txt").write_text("striped")
    (classes / ".hidden.png").write_text("no image")
    with caplog.at_level(logging.WARNING, logger="db3kd"):
        assert len(load(f"imagefolder:{classes}")) == 4
    assert "notes.txt" in caplog.text


def test_images_next_to_class_folders_are_refused(classes: Path) -> None:
    write(classes / "stray.png", made_images(1, (5, 7, 3))[0])
    with pytest.raises(DataError, match=r"stray\.png lies next to class folders"):
        load(f"imagefolder:{classes}")


def test_a_folder_that_is_empty_or_missing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no image"):
        load(f"imagefolder:{tmp_path}")
    with pytest.raises(DataError, match="is no folder"):
        load(f"imagefolder:{tmp_path / 'nowhere'}")
