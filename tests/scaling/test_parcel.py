"""What is sent to a process that learns comes out of its wrapping as it went in."""

from dataclasses import replace
from pathlib import Path

import torch

from db3kd.data.mapped import in_file, map_file
from db3kd.scaling.parcel import Parcel, unwrapped, wrapped
from db3kd.tensorfile import pack, unpack
from db3kd.training import Material, Objective
from made_jobs import MATERIAL, PIXELS


def test_what_is_to_be_learned_comes_back_as_it_was() -> None:
    opinions = Objective(soft_labels=torch.full((60, 3), 1 / 3), temperature=2.0)
    for material in (MATERIAL, Material(PIXELS, opinions, rows=torch.arange(1, 60, 2))):
        tensors, about = wrapped(material)
        packed = pack(tensors, about, kind="x")
        back = unwrapped(Parcel(*unpack(packed, kind="x", origin="memory", way_out="none")))
        again = wrapped(back)
        assert {**again.about} == {**about}
        assert again.tensors.keys() == tensors.keys()
        assert all(torch.equal(again.tensors[name], tensors[name]) for name in tensors)


def test_a_pool_in_a_file_is_opened_and_not_sent_unless_it_has_no_name_any_more(tmp_path: Path) -> None:
    (tmp_path / "pool").write_bytes(PIXELS.numpy().tobytes())
    pool = map_file((tmp_path / "pool").open("rb"), tuple(PIXELS.shape), "uint8")
    assert MATERIAL.unasked is not None
    there = replace(MATERIAL, unasked=replace(MATERIAL.unasked, pixels=pool))
    parcel = wrapped(there)
    assert "pool" not in parcel.tensors
    back = unwrapped(parcel)
    assert back.unasked is not None
    assert torch.equal(back.unasked.pixels, PIXELS)
    assert in_file(back.unasked.pixels) is not None
    assert "pool" not in wrapped(there, named=True).tensors
    (tmp_path / "pool").unlink()
    assert "pool" not in wrapped(there).tensors
    assert torch.equal(wrapped(there, named=True).tensors["pool"], PIXELS)
