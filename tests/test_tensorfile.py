"""The same content gives the same bytes, in any process; other bytes are refused by name."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
import safetensors.torch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import db3kd
from db3kd.errors import ArtifactError
from db3kd.tensorfile import pack, unpack
from db3kd.tensors import Tensor

KIND = "db3kd-test-1"
_MADE = """
import hashlib, torch
from db3kd.tensorfile import pack
tensors = {name: torch.arange(12.0).reshape(3, 4) + place for place, name in enumerate(("zeta", "alpha", "mid"))}
header = {"b": "2", "a": "1", "c": "3", "ids": "[]"}
data = pack(tensors, header, kind="db3kd-test-1")
"""


def _tensors() -> dict[str, Tensor]:
    return {"weights": torch.arange(12.0).reshape(3, 4), "counts": torch.arange(5), "flags": torch.tensor([True])}


def _unpack(data: bytes) -> tuple[dict[str, Tensor], dict[str, str]]:
    return unpack(data, kind=KIND, origin="shard 7", way_out="make it again")


def test_what_was_packed_comes_back() -> None:
    tensors, header = _unpack(pack(_tensors(), {"who": "me"}, kind=KIND))
    assert tensors.keys() == _tensors().keys()
    assert all(torch.equal(tensors[name], value) for name, value in _tensors().items())
    assert all(tensors[name].dtype == value.dtype for name, value in _tensors().items())
    assert (header["who"], header["format"]) == ("me", KIND)


@settings(max_examples=20, deadline=None)
@given(
    shapes=st.dictionaries(st.text(min_size=1, max_size=4).filter(lambda t: t != "__metadata__"), st.integers(0, 5)),
    header=st.dictionaries(st.text(max_size=4), st.text(max_size=9), max_size=3),
)
def test_any_names_and_any_header_come_back(shapes: dict[str, int], header: dict[str, str]) -> None:
    tensors = {name: torch.full((size, 2), float(size)) for name, size in shapes.items()}
    back, about = _unpack(pack(tensors, header, kind=KIND))
    assert back.keys() == tensors.keys()
    assert all(torch.equal(back[name], value) for name, value in tensors.items())
    assert {name: about[name] for name in header if name not in ("format", "sha256")} == {
        name: text for name, text in header.items() if name not in ("format", "sha256")
    }


def test_memory_layout_and_order_of_names_leave_the_bytes_alone() -> None:
    images = torch.rand(2, 3, 4, 5)
    plain = pack({"a": images, "b": torch.ones(2)}, {"x": "1", "y": "2"}, kind=KIND)
    other = pack(
        {"b": torch.ones(2), "a": images.contiguous(memory_format=torch.channels_last)}, {"y": "2", "x": "1"}, kind=KIND
    )
    assert plain == other
    # A view into a larger tensor is written as what it shows.
    assert pack({"a": images[:, :2]}, {}, kind=KIND) == pack({"a": images[:, :2].clone()}, {}, kind=KIND)


def test_another_process_makes_the_same_bytes() -> None:
    here: dict[str, bytes] = {}
    exec(_MADE, here)
    printed = subprocess.run(
        [sys.executable, "-c", _MADE + "print(hashlib.sha256(data).hexdigest())"],
        env={**os.environ, "PYTHONHASHSEED": "1", "PYTHONPATH": str(Path(db3kd.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert printed.stdout.strip() == hashlib.sha256(here["data"]).hexdigest()


def test_bytes_cut_short_anywhere_are_refused_by_name() -> None:
    data = pack(_tensors(), {"who": "me"}, kind=KIND)
    for length in range(len(data)):
        with pytest.raises(ArtifactError, match=r"shard 7.*make it again"):
            _unpack(data[:length])
    with pytest.raises(ArtifactError, match="shard 7"):
        _unpack(data + b"\0")


def test_a_changed_value_is_refused_by_name() -> None:
    data = pack(_tensors(), {"who": "me"}, kind=KIND)
    start = 8 + int.from_bytes(data[:8], "little")
    for place in range(start, len(data)):
        changed = bytearray(data)
        changed[place] ^= 1
        with pytest.raises(ArtifactError, match=r"shard 7.*make it again"):
            _unpack(bytes(changed))


def test_a_change_of_names_shapes_or_types_is_refused_by_name() -> None:
    data = pack({"a": torch.zeros(2, 3), "b": torch.ones(2, 3)}, {}, kind=KIND)
    for old, new in ((b'"a"', b'"c"'), (b"[2,3]", b"[3,2]"), (b'"F32"', b'"I32"'), (b"{", b"[")):
        assert old in data
        with pytest.raises(ArtifactError, match="shard 7"):
            _unpack(data.replace(old, new, 1))


def test_another_kind_version_or_file_is_refused_by_name() -> None:
    for data in (
        pack(_tensors(), {}, kind="db3kd-test-2"),
        pack(_tensors(), {}, kind="db3kd-weights-1"),
        safetensors.torch.save(_tensors()),
        b"",
        b"PK\x03\x04 a pickled network",
        b"\xff" * 100,
    ):
        with pytest.raises(ArtifactError, match=r"shard 7.*make it again"):
            _unpack(data)
