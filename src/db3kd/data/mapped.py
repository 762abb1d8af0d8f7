"""Tensors whose values lie in a file: they take memory only while it is free, and other processes can open them.

The file is mapped privately, so that nothing that is done to such a tensor reaches it. Called by `pixel_rows`, and by
whoever would else copy a whole pool.
"""

import contextlib
import mmap
import os
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from jaxtyping import Shaped

from db3kd.errors import ArtifactError
from db3kd.tensors import Tensor

_COMPARED = 1000
_DTYPES = {"uint8": np.uint8, "float32": np.float32}


@dataclass(frozen=True)
class InFile:
    """Where the values of a tensor lie, which another process of this machine can open; the offset is in bytes.

    The path may be that of an open file without a name.
    """

    path: str
    offset: int
    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True)
class _Mapping:
    file: BinaryIO
    size: int
    map: "weakref.ref[mmap.mmap]"

    def path(self, *, named: bool) -> str | None:
        """Where another process finds the file: by its name, or as one that is open here; None where neither holds."""
        number = self.file.fileno()
        if isinstance(self.file.name, str):
            with contextlib.suppress(OSError):
                if os.path.samestat(Path(self.file.name).stat(), os.fstat(number)):
                    return str(Path(self.file.name).absolute())
        open_file = Path(f"/proc/{os.getpid()}/fd/{number}")
        return str(open_file) if open_file.exists() and not named else None


# By the address of the first byte.
_MAPPINGS: dict[int, _Mapping] = {}


def map_file(file: BinaryIO, shape: tuple[int, ...], dtype: str, *, offset: int = 0) -> Tensor:
    """Map the values of a file, which is closed when nothing uses them any more.

    An ArtifactError where the file is too short; the file may be without a name.
    """
    count = int(np.prod(shape, dtype=object))
    size = count * np.dtype(_DTYPES[dtype]).itemsize
    if os.fstat(file.fileno()).st_size < offset + size:
        file.close()
        raise ArtifactError(f"{file.name} is too short for images of shape {shape}; nothing was read: delete it")
    # Without a reservation: a private mapping may be larger than the memory, since hardly anything is written to it.
    flags = mmap.MAP_PRIVATE | getattr(mmap, "MAP_NORESERVE", 0)
    held = mmap.mmap(file.fileno(), offset + size, flags=flags, prot=mmap.PROT_READ | mmap.PROT_WRITE)
    tensor = torch.from_numpy(np.frombuffer(held, _DTYPES[dtype], count, offset)).view(shape)
    start = tensor.data_ptr() - offset
    _MAPPINGS[start] = _Mapping(file, offset + size, weakref.ref(held))
    weakref.finalize(held, _forget, start, file)
    return tensor


def _forget(start: int, file: BinaryIO) -> None:
    _MAPPINGS.pop(start, None)
    file.close()


def in_file(tensor: Tensor, *, named: bool = False) -> InFile | None:
    """Tell where the values of a tensor lie; None where they are in memory alone, or not one after another.

    On other machines only a file with a name can be found.
    """
    found = _find(tensor)
    if found is None or not tensor.is_contiguous():
        return None
    start, mapping = found
    path = mapping.path(named=named)
    return None if path is None else InFile(path, tensor.data_ptr() - start, tuple(tensor.shape), _kind_of(tensor))


def written(tensor: Tensor, path: Path) -> InFile:
    """Write the values of a tensor to a file, without a copy, and tell where they lie."""
    tensor.numpy().tofile(path)
    return InFile(str(path), 0, tuple(tensor.shape), _kind_of(tensor))


def opened(place: InFile) -> Tensor:
    """Map what another process has mapped."""
    # Closed with its mapping.
    file = Path(place.path).open("rb")  # noqa: SIM115
    return map_file(file, tuple(place.shape), place.dtype, offset=place.offset)


def shared(array: Shaped[np.memmap, "..."]) -> Tensor | None:
    """Map the file of an array that numpy has mapped; None where its values do not lie there, one after another.

    Changes that are the array's own, as with the mode "c", are in no file.
    """
    kept: Any = array
    if array.filename is None or array.mode == "c" or not array.flags.c_contiguous or array.dtype.name not in _DTYPES:
        return None
    if not array.size or not array.dtype.isnative:
        return None
    # A slice has the offset of the whole, which numpy maps from the beginning of a page.
    first = np.frombuffer(kept._mmap, np.uint8, 1).ctypes.data
    page = array.offset - array.offset % mmap.ALLOCATIONGRANULARITY
    place = InFile(str(array.filename), page + array.ctypes.data - first, array.shape, array.dtype.name)
    try:
        found = opened(place)
    except (OSError, ArtifactError):
        return None
    # By that name there may be another file by now: some values show it.
    some = np.linspace(0, array.size - 1, _COMPARED).astype(np.int64)
    same = found.numpy().reshape(-1)[some].tobytes() == array.reshape(-1)[some].tobytes()
    return found if same else None


def release(tensor: Tensor) -> None:
    """Give the memory back that reading the values of a file has taken; they are read again when they are needed."""
    found = _find(tensor)
    held = None if found is None else found[1].map()
    if held is not None and hasattr(mmap, "MADV_DONTNEED"):
        with contextlib.suppress(OSError):
            held.madvise(mmap.MADV_DONTNEED)


def _kind_of(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _find(tensor: Tensor) -> tuple[int, _Mapping] | None:
    if tensor.device.type != "cpu":
        return None
    place, size = tensor.data_ptr(), tensor.nbytes
    inside = ((start, one) for start, one in _MAPPINGS.items() if start <= place and place + size <= start + one.size)
    return next(inside, None)
