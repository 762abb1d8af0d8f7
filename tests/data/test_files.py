"""Image files become one data set: in their order, brought to one shape, without those that cannot be read."""

import logging
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from db3kd.data import ImageOptions, Place, load, pixel_rows
from db3kd.data.files import dataset_of_files, id_of
from db3kd.errors import DataError, StorageError
from db3kd.tensorfile import lines_of, text_of
from made_files import Bytes, made_images
from made_pictures import ODD, picture, write_folder


def write(path: Path, pixels: Bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    """Three pictures of 6x8, of which the second cannot be read."""
    files = [tmp_path / name for name in ("c.png", "a.png", "b.png")]
    for number, file in enumerate(files):
        picture(6, 8, seed=number).save(file)
    files[1].write_bytes(b"")
    return files


def test_what_can_be_read_is_in_the_order_of_the_paths_with_its_own_name_and_label(paths: list[Path]) -> None:
    options = ImageOptions(broken_share=0.5)
    found = dataset_of_files(paths, ("x", "y", "z"), [2, 1, 0], ("u", "v", "w"), name="mine", options=options)
    assert (found.name, found.ids, found.class_names, found.image_shape) == (
        "mine",
        ("x", "z"),
        ("u", "v", "w"),
        (3, 6, 8),
    )
    assert found.labels is not None
    assert found.labels.tolist() == [2, 0]
    for row, file in enumerate((paths[0], paths[2])):
        assert torch.equal(found.pixels[row], torch.from_numpy(np.array(Image.open(file)).transpose(2, 0, 1).copy()))
    assert dataset_of_files(paths, ("x", "y", "z"), name="mine", options=options).labels is None


def test_the_options_say_the_shape_before_the_teacher_does(paths: list[Path]) -> None:
    options = ImageOptions(size=(2, 4), broken_share=0.5)
    assert dataset_of_files(paths, ("x", "y", "z"), name="mine", wanted=(3, 9, 9), options=options).image_shape == (
        3,
        2,
        4,
    )


def test_nothing_and_one_name_twice_are_refused(paths: list[Path]) -> None:
    with pytest.raises(DataError, match="mine holds no image"):
        dataset_of_files([], [], name="mine")
    with pytest.raises(DataError, match="mine names 1 images more than once"):
        dataset_of_files(paths, ("x", "y", "x"), name="mine")


def test_a_disk_that_gives_back_something_else_is_told(
    paths: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(pixel_rows, "KEPT_FROM", 0)
    monkeypatch.setattr(pixel_rows.PixelRows, "digest", property(lambda _: "of something else"))
    with pytest.raises(StorageError, match="look at the disk"):
        dataset_of_files(paths[::2], ("x", "z"), name="mine", place=Place(lambda: tmp_path / "run"))
    assert caplog.text.count("they are read anew") == 2


@pytest.mark.parametrize(
    ("name", "identity"),
    [(b"cat/a b.png", "cat/a b.png"), ("ä.png".encode(), "ä.png"), (b"\xe9.png", "%E9.png"), (b"a\nb/c", "a%0Ab/c")],
)
def test_an_image_is_named_by_its_path_as_text(name: bytes, identity: str) -> None:
    assert id_of(Path(os.fsdecode(name))) == identity


def test_pictures_of_every_kind_become_what_the_teacher_takes_and_that_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = write_folder(tmp_path / "photos")
    plain = [place for place in folder.iterdir() if place.name.startswith("plain")]
    with caplog.at_level(logging.WARNING, logger="db3kd"):
        dataset = load(str(folder), wanted=(3, 32, 32))
    assert len(dataset) == len(ODD) + 10
    assert dataset.image_shape == (3, 32, 32)
    for place in plain:
        exact = np.asarray(Image.open(place)).transpose(2, 0, 1)
        assert np.array_equal(dataset.pixels[dataset.row_of(place.name)].numpy(), exact)
    assert dataset.reading is not None
    assert set(dataset.reading.changes) == {word for word, _ in ODD.values()}
    assert dataset.reading.changes["inks"] == 1
    assert [record.getMessage() for record in caplog.records] == list(dataset.reading.sentences)
    assert "20 images brought to 32x32 RGB (crop): 2 scaled; 1 turned as their EXIF data say" in caplog.text


@pytest.mark.parametrize("content", [b"", b"no image", None])
def test_a_broken_file_is_left_out_counted_and_named(
    tmp_path: Path, content: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(20):
        write(tmp_path / f"{number % 2}/{number:02}.png", made_images(1, (5, 7, 3), seed=number)[0])
    broken = tmp_path / "1/07.png"
    broken.write_bytes(broken.read_bytes()[:-30] if content is None else content)
    dataset = load(str(tmp_path))
    assert len(dataset) == 19
    assert "1/07.png" not in dataset.ids
    assert dataset.labels is not None
    assert dataset.labels.tolist() == [int(name[0]) for name in dataset.ids]
    assert dataset.reading is not None
    assert list(dataset.reading.broken) == ["1/07.png"]
    assert "1 of 20 images cannot be read and were left out: 1/07.png (" in caplog.text
    with pytest.raises(DataError, match=r"1/07\.png cannot be read as an image.*broken = 'skip'"):
        load(str(tmp_path), options=ImageOptions(broken="stop"))
    with pytest.raises(DataError, match=r"of 20 images 1 and maybe more.*allows 0\.01.*raise broken_share"):
        load(str(tmp_path), options=ImageOptions(broken_share=0.01))


def test_where_all_are_broken_there_is_no_data_set(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.raises(DataError, match="none of 1 images can be read"):
        load(str(tmp_path), options=ImageOptions(broken_share=1.0))


def test_names_that_are_no_text_can_be_kept(tmp_path: Path) -> None:
    for name in (b"caf\xe9.png", b"two\nlines.png"):
        write(tmp_path / os.fsdecode(name), made_images(1, (4, 4))[0])
    dataset = load(str(tmp_path))
    assert dataset.ids == ("caf%E9.png", "two%0Alines.png")
    assert lines_of(text_of(dataset.ids)) == dataset.ids
