from pathlib import Path

import numpy as np
import pytest
import torch

from db3kd.data import load
from db3kd.data.mapped import in_file
from db3kd.errors import DataError
from made_files import made_images, made_labels


def test_images_labels_and_names_are_read(tmp_path: Path) -> None:
    images, test = made_images(6, (8, 9, 3)), made_images(2, (8, 9, 3), seed=1)
    path = tmp_path / "own.npz"
    np.savez(path, images=images, labels=made_labels(6, 2), images_test=test, class_names=np.array(["cat", "dog"]))
    dataset = load(f"npz:{path}")
    assert dataset.ids[5] == "own/00005"
    assert dataset.class_names == ("cat", "dog")
    assert dataset.labels is not None
    assert dataset.labels.tolist() == [0, 1, 0, 1, 0, 1]
    assert torch.equal(dataset.pixels, torch.from_numpy(images).permute(0, 3, 1, 2))
    held_out = load(f"npz:{path}", "test")
    assert held_out.ids == ("own/test/00000", "own/test/00001")
    assert held_out.labels is None


def test_one_array_is_not_read_into_memory(tmp_path: Path) -> None:
    images, path = made_images(6, (8, 9)), tmp_path / "own.npy"
    np.save(path, images)
    for source in (f"npy:{path}", str(path)):
        dataset = load(source)
        place = in_file(dataset.pixels)
        assert place is not None
        assert place.path == str(path)
        assert torch.equal(dataset.pixels[:, 0], torch.from_numpy(images))
        assert (dataset.ids[5], dataset.labels) == ("own/00005", None)


def test_an_array_that_holds_no_images_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "own.npy"
    with pytest.raises(DataError, match="is no file"):
        load(f"npy:{path}")
    for array in (np.zeros(()), np.zeros((0, 4, 4)), np.array([{}, {}])):
        np.save(path, array)
        with pytest.raises(DataError, match=r"own\.npy"):
            load(f"npy:{path}")
    np.save(path, made_images(6, (8, 9)))
    with pytest.raises(DataError, match="no test split"):
        load(f"npy:{path}", "test")
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(DataError, match="save it anew"):
        load(f"npy:{path}")


def test_floats_stay_floats(tmp_path: Path) -> None:
    images = np.random.default_rng(0).random((3, 4, 4))
    np.savez_compressed(tmp_path / "own.npz", images=images)
    dataset = load(f"npz:{tmp_path / 'own.npz'}")
    assert dataset.pixels.dtype == torch.float32
    assert np.array_equal(dataset.images()[:, 0].numpy(), images.astype(np.float32))


def test_a_missing_key_says_how_to_save_it(tmp_path: Path) -> None:
    path = tmp_path / "own.npz"
    np.savez(path, pictures=made_images(2, (4, 4)))
    with pytest.raises(DataError, match=r"own\.npz holds no array images, .*savez\(path, images="):
        load(f"npz:{path}")
    np.savez(path, images=made_images(2, (4, 4)))
    with pytest.raises(DataError, match=r"own\.npz holds no array images_test"):
        load(f"npz:{path}", "test")


def test_pickled_objects_are_never_read(tmp_path: Path) -> None:
    path = tmp_path / "own.npz"
    np.savez(path, images=np.array([{"a": 1}], dtype=object))
    with pytest.raises(DataError, match="pickled objects, which are never read"):
        load(f"npz:{path}")


def test_a_broken_archive_is_named_and_refused(tmp_path: Path) -> None:
    path = tmp_path / "own.npz"
    np.savez(path, images=made_images(20, (28, 28)))
    content = path.read_bytes()
    damaged = bytearray(content)
    damaged[len(content) // 2] ^= 0xFF
    for broken in (content[:-40], content[:1000], b"", b"text", bytes(damaged)):
        path.write_bytes(broken)
        with pytest.raises(DataError, match=r"own\.npz cannot be read"):
            load(f"npz:{path}")


def test_what_is_no_archive_of_images_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "own.npz"
    with pytest.raises(DataError, match="is no file"):
        load(f"npz:{path}")
    with path.open("wb") as stream:
        np.save(stream, made_images(2, (4, 4)))
    with pytest.raises(DataError, match="a single array"):
        load(f"npz:{path}")
    np.savez(path, images=np.zeros((0, 4, 4), dtype=np.uint8))
    with pytest.raises(DataError, match="holds no image"):
        load(f"npz:{path}")
    np.savez(path, images=made_images(2, (4, 4)), class_names=np.array([1, 2]))
    with pytest.raises(DataError, match="class_names must be a list of strings"):
        load(f"npz:{path}")
