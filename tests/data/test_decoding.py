"""Pictures are decoded by several threads, and come in their order."""

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from db3kd.data import ImageOptions, dataset_of, decoding, load
from db3kd.data.picture import formed
from made_pictures import picture

SHAPE = (3, 24, 24)


@pytest.fixture(autouse=True)
def _small_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "_FILES_OF_A_TASK", 3)


def test_pictures_are_decoded_in_order_however_long_each_takes(tmp_path: Path) -> None:
    for number in range(12):
        side = 400 if number % 4 == 0 else 4
        picture(side, side, seed=number).save(tmp_path / f"{number:02}.png")
    dataset = load(str(tmp_path), wanted=(3, 4, 4))
    assert dataset.ids == tuple(f"{number:02}.png" for number in range(12))
    for number in (1, 2, 3, 5):
        assert np.array_equal(dataset.pixels[number].numpy(), np.asarray(picture(4, 4, seed=number)).transpose(2, 0, 1))


@pytest.fixture
def _two_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first two pictures are decoded when two threads are at it."""
    meeting, met, form = threading.Barrier(2, timeout=60), threading.Event(), decoding.form_picture

    def together(*given: Any) -> object:
        if not met.is_set():
            meeting.wait()
            met.set()
        return form(*given)

    monkeypatch.setattr(decoding, "count_cores", lambda: 2)
    monkeypatch.setattr(decoding, "form_picture", together)


@pytest.mark.usefixtures("_two_at_once")
@pytest.mark.parametrize("form", ["folder", "paths", "items with paths", "items with bytes", "tensors", "an array"])
def test_pictures_are_decoded_side_by_side(form: str, tmp_path: Path) -> None:
    for number in range(40):
        picture(48, 48, seed=number).save(tmp_path / f"{number:02}.png")
    paths = sorted(tmp_path.iterdir())
    pixels = np.stack([np.asarray(picture(48, 48, seed=number)).transpose(2, 0, 1) for number in range(40)])
    forms: dict[str, object] = {
        "folder": tmp_path,
        "paths": paths,
        "items with paths": [(path, 3) for path in paths],
        "items with bytes": [{"image": {"bytes": path.read_bytes()}, "label": 3} for path in paths],
        "tensors": list(torch.from_numpy(pixels)),
        "an array": pixels,
    }
    dataset = dataset_of(forms[form], wanted=SHAPE, options=ImageOptions(broken="stop"))
    for number, found in enumerate(dataset.pixels):
        assert np.array_equal(found.numpy(), formed(picture(48, 48, seed=number), SHAPE, ImageOptions())[0])


def test_one_open_picture_may_be_there_many_times(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "count_cores", lambda: 4)
    picture(300, 300).save(tmp_path / "one.jpg")
    with Image.open(tmp_path / "one.jpg") as image:
        dataset = dataset_of([image] * 60, wanted=SHAPE, options=ImageOptions(broken="stop"))
    assert len(dataset.pixels.flatten(1).unique(dim=0)) == 1
