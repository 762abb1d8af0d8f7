"""Tensors whose values lie in a file: another process can open them, and nothing reaches the file."""

import gc
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from db3kd.data import from_arrays, mapped
from db3kd.data.mapped import InFile, in_file, map_file, opened, release, shared
from db3kd.errors import ArtifactError

VALUES = torch.arange(24, dtype=torch.uint8).view(4, 1, 2, 3)


def _written(folder: Path) -> torch.Tensor:
    (folder / "values").write_bytes(VALUES.numpy().tobytes())
    return map_file((folder / "values").open("rb"), (4, 1, 2, 3), "uint8")


def test_a_tensor_is_found_again_by_where_it_lies(tmp_path: Path) -> None:
    tensor = _written(tmp_path)
    place = in_file(tensor)
    assert place is not None
    assert torch.equal(opened(place), VALUES)
    part = in_file(tensor[1:3])
    assert part is not None
    assert torch.equal(opened(part), VALUES[1:3])
    for elsewhere in (tensor.clone(), tensor[::2], VALUES, torch.zeros(0)):
        assert in_file(elsewhere) is None


def test_a_file_without_a_name_is_none_for_other_machines(tmp_path: Path) -> None:
    tensor = _written(tmp_path)
    assert in_file(tensor, named=True) == in_file(tensor)
    (tmp_path / "values").unlink()
    assert in_file(tensor) is not None
    assert in_file(tensor, named=True) is None


def test_what_is_done_to_a_tensor_does_not_reach_the_file(tmp_path: Path) -> None:
    tensor = _written(tmp_path)
    tensor.zero_()
    assert (tmp_path / "values").read_bytes() == VALUES.numpy().tobytes()


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_an_array_that_numpy_has_mapped_is_opened_where_it_lies(tmp_path: Path, dtype: type) -> None:
    values: np.ndarray[Any, Any] = np.arange(5000 * 6).reshape(5000, 1, 2, 3).astype(dtype)
    np.save(tmp_path / "values.npy", values)
    whole = np.load(tmp_path / "values.npy", mmap_mode="r")
    for array, expected in ((whole, values), (whole[4000:], values[4000:])):
        found = shared(array)
        assert found is not None
        assert np.array_equal(found.numpy(), expected)
        own = in_file(found)
        assert own is not None
        assert own.path == str(tmp_path / "values.npy")
        assert np.array_equal(opened(own).numpy(), expected)
    assert shared(whole[::2]) is None
    (tmp_path / "values.npy").unlink()
    assert shared(whole) is None
    np.save(tmp_path / "values.npy", values[::-1])
    assert shared(whole) is None, "another file has its name"
    np.save(tmp_path / "values.npy", values[:5])
    assert shared(whole) is None
    np.save(tmp_path / "values.npy", values)
    assert shared(np.load(tmp_path / "values.npy", mmap_mode="c")) is None
    np.save(tmp_path / "longs.npy", values.astype(np.int64))
    assert shared(np.load(tmp_path / "longs.npy", mmap_mode="r")) is None


def test_a_file_that_was_exchanged_is_found_as_the_one_that_is_open(tmp_path: Path) -> None:
    tensor = _written(tmp_path)
    (tmp_path / "values").unlink()
    (tmp_path / "values").write_bytes(bytes(24))
    place = in_file(tensor)
    assert place is not None
    assert place.path != str(tmp_path / "values")
    assert torch.equal(opened(place), VALUES)


def test_memory_can_be_given_back_and_is_filled_again(tmp_path: Path) -> None:
    tensor = _written(tmp_path)
    release(tensor)
    assert torch.equal(tensor, VALUES)
    release(VALUES)


def test_a_file_is_closed_with_the_last_tensor(tmp_path: Path) -> None:
    gc.collect()
    before = len(mapped._MAPPINGS)
    tensor = _written(tmp_path)
    view = tensor[1:]
    del tensor
    gc.collect()
    assert len(mapped._MAPPINGS) == before + 1
    assert torch.equal(view, VALUES[1:])
    del view
    gc.collect()
    assert len(mapped._MAPPINGS) == before


def test_a_short_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "values").write_bytes(b"123")
    with (tmp_path / "values").open("rb") as file, pytest.raises(ArtifactError, match="too short"):
        map_file(file, (4,), "uint8")


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="a file without a name is opened by /proc")
def test_another_process_opens_a_file_without_a_name() -> None:
    file = tempfile.TemporaryFile()  # noqa: SIM115  # it lives as long as its tensor
    file.write(VALUES.numpy().tobytes())
    file.flush()
    tensor = map_file(file, (4, 1, 2, 3), "uint8")
    place = in_file(tensor)
    assert isinstance(place, InFile)
    code = f"import numpy, sys; print(numpy.fromfile({place.path!r}, dtype='u1').sum())"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(said.stdout) == int(VALUES.sum())


def test_a_memmap_is_not_copied(tmp_path: Path) -> None:
    np.save(tmp_path / "images.npy", VALUES.numpy())
    for mode in ("r", "c"):
        array = np.load(tmp_path / "images.npy", mmap_mode=mode)
        dataset = from_arrays(array)
        shares_memory = dataset.pixels.data_ptr() == array.ctypes.data
        # What a copy on write holds may be in no file.
        assert shares_memory if mode == "c" else in_file(dataset.pixels) is not None
        assert torch.equal(dataset.pixels, VALUES)
    assert from_arrays(array.astype(">f4") / 255).digest == from_arrays(VALUES.float() / 255).digest


def test_a_memmap_in_another_order_goes_to_a_file_part_by_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (50, 8, 9, 3), dtype=np.uint8)
    np.save(tmp_path / "images.npy", pixels)
    for room in ("dataset", "pixel_rows"):
        monkeypatch.setattr(f"db3kd.data.{room}.IN_MEMORY", 0)
    monkeypatch.setattr("db3kd.data.dataset._BYTES_OF_A_PART", 1000)
    dataset = from_arrays(np.load(tmp_path / "images.npy", mmap_mode="r"))
    assert in_file(dataset.pixels) is not None
    assert np.array_equal(dataset.pixels.numpy(), pixels.transpose(0, 3, 1, 2))
    assert dataset.digest == from_arrays(pixels).digest
