"""Clip art is divided by kind: small kinds are left out, large ones cut, and no picture is in both parts."""

import torch

from benchmarks.clipart import divided
from db3kd.data import Dataset, Numbered


def test_pictures_are_divided_by_kind() -> None:
    pixels = torch.arange(60, dtype=torch.uint8).view(60, 1, 1, 1).expand(60, 3, 8, 8).contiguous()
    labels = torch.tensor([0] * 30 + [1] * 5 + [2] * 25)
    arrays = divided(Dataset("clips", Numbered("clips", 60), pixels, labels, ("a", "b", "c")), least=20, most=25)
    assert arrays["class_names"].tolist() == ["a", "c"]
    assert arrays["images"].shape == (40, 8, 8, 3)
    assert arrays["images_test"].shape == (10, 8, 8, 3)
    pool, test = (set(arrays[name][:, 0, 0, 0].tolist()) for name in ("images", "images_test"))
    assert not pool & test
    for suffix in ("", "_test"):
        shown, known = arrays[f"images{suffix}"][:, 0, 0, 0], arrays[f"labels{suffix}"]
        assert all((value >= 35) == bool(label) for value, label in zip(shown, known, strict=True))
