"""Many images lie in one file, which a run keeps: used again where nothing has changed, gone on with after a kill."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from db3kd.data import Dataset, ImageOptions, Place, dataset_of, decoding, load, pixel_rows
from db3kd.data.mapped import in_file
from db3kd.errors import StorageError
from made_pictures import picture, write_folder

SHAPE = (3, 24, 24)


class _Killed(BaseException):
    """What no handler of ours may catch."""


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pixel_rows, "IN_MEMORY", 0)
    monkeypatch.setattr(pixel_rows, "KEPT_FROM", 0)
    monkeypatch.setattr(decoding, "_FILES_OF_A_TASK", 3)
    monkeypatch.setattr(decoding, "_BYTES_OF_A_NOTE", 4 * 3 * 24 * 24)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = write_folder(tmp_path / "photos", plain=30)
    (folder / "empty.jpg").write_bytes(b"")
    return folder


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that were decoded."""
    seen: list[Path] = []
    form = decoding.form_picture

    def watched(source: Path, *rest: object) -> object:
        seen.append(source)
        return form(source, *rest)  # type: ignore[arg-type]  # as they came

    monkeypatch.setattr(decoding, "form_picture", watched)
    return seen


def _load(photos: Path, run: Path, **options: object) -> Dataset:
    return load(str(photos), wanted=SHAPE, options=ImageOptions(**options), place=Place(lambda: run))  # type: ignore[arg-type]  # of ImageOptions


def test_pixels_in_memory_in_a_file_and_in_a_run_are_the_same(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, nameless = _load(photos, tmp_path / "run"), load(str(photos), wanted=SHAPE)
    assert in_file(kept.pixels) is not None
    assert in_file(nameless.pixels) is not None
    monkeypatch.setattr(pixel_rows, "IN_MEMORY", 2**30)
    memory = load(str(photos), wanted=SHAPE)
    assert in_file(memory.pixels) is None
    assert kept.digest == nameless.digest == memory.digest
    assert kept.reading == nameless.reading == memory.reading
    assert memory.reading is not None
    assert list(memory.reading.broken) == ["empty.jpg"]


def test_a_second_start_decodes_nothing(photos: Path, tmp_path: Path, decoded: list[Path]) -> None:
    first = _load(photos, tmp_path / "run")
    assert len(decoded) == 41
    decoded.clear()
    again = _load(photos, tmp_path / "run", broken_share=0.5)
    assert decoded == []
    assert again.digest == first.digest
    assert again.reading == first.reading
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["images.jsonl", "images.pixels"]


@pytest.mark.parametrize("form", ["open pictures", "arrays", "an array"])
def test_what_only_its_pixels_tell_is_kept_in_a_run_too_and_made_anew_in_each_start(form: str, tmp_path: Path) -> None:
    pictures = [picture(30, 20, seed=seed) for seed in range(9)]
    arrays = [np.asarray(one) for one in pictures]
    forms: dict[str, Any] = {"open pictures": pictures, "arrays": arrays, "an array": np.stack(arrays)}
    given = forms[form]
    changed = [*given[:5], np.asarray(picture(30, 20, seed=77)), *given[6:]]
    place, pixels = Place(lambda: tmp_path / "run"), tmp_path / "run/images.pixels"
    first, nameless = dataset_of(given, wanted=SHAPE, place=place), dataset_of(given, wanted=SHAPE)
    lying = in_file(first.pixels, named=True)
    assert lying is not None
    assert lying.path == str(pixels)
    again = dataset_of(given, wanted=SHAPE, place=place)
    assert again.digest == first.digest == nameless.digest
    assert again.reading == first.reading == nameless.reading
    pixels.write_bytes(b"spoiled")
    assert dataset_of(given, wanted=SHAPE, place=place).digest == nameless.digest
    assert dataset_of(changed, wanted=SHAPE, place=place).digest != nameless.digest
    # What was mapped before stays what it was.
    assert torch.equal(first.pixels, nameless.pixels)


def test_a_folder_takes_over_no_pixels_of_a_data_set_and_the_other_way_round(
    photos: Path, tmp_path: Path, decoded: list[Path]
) -> None:
    whole, pictures = load(str(photos), wanted=SHAPE), [picture(20, 30) for _ in range(3)]
    place = Place(lambda: tmp_path / "run")
    for _ in range(2):
        assert len(dataset_of(pictures, wanted=SHAPE, place=place)) == 3
        decoded.clear()
        assert _load(photos, tmp_path / "run").digest == whole.digest
        assert len(decoded) == 41


def test_another_file_state_or_option_decodes_anew(photos: Path, tmp_path: Path, decoded: list[Path]) -> None:
    first = _load(photos, tmp_path / "run")
    decoded.clear()
    os.utime(photos / "plain03.png", ns=(1, 1))
    assert _load(photos, tmp_path / "run").digest == first.digest
    assert len(decoded) == 41
    assert _load(photos, tmp_path / "run", fit="pad").digest != first.digest
    (photos / "plain03.png").unlink()
    assert len(_load(photos, tmp_path / "run", fit="pad")) == 39
    # What was mapped before stays what it was.
    assert first.pixels.shape == (40, *SHAPE)
    assert np.array_equal(first.pixels[0].numpy(), load(str(photos), wanted=SHAPE).pixels[0].numpy())


def test_pixels_that_were_edited_or_cut_short_are_decoded_anew(
    photos: Path, tmp_path: Path, decoded: list[Path], caplog: pytest.LogCaptureFixture
) -> None:
    first, pixels = _load(photos, tmp_path / "run").digest, tmp_path / "run/images.pixels"
    content = pixels.read_bytes()
    for edited, said in ((content[:-1] + bytes([content[-1] ^ 1]), "read anew"), (content[:5000], "cut short")):
        pixels.write_bytes(edited)
        decoded.clear()
        assert _load(photos, tmp_path / "run").digest == first
        assert len(decoded) == 41
        assert said in caplog.text
    log = tmp_path / "run/images.jsonl"
    for edited_log in ("no json\n", log.read_text() + '{"rows": "many"}\n', ""):
        log.write_text(edited_log)
        assert _load(photos, tmp_path / "run").digest == first


@pytest.mark.parametrize("stop_at", [1, 7, 20, 40])
def test_a_killed_reading_goes_on_where_it_was(
    photos: Path, tmp_path: Path, decoded: list[Path], monkeypatch: pytest.MonkeyPatch, stop_at: int
) -> None:
    whole = _load(photos, tmp_path / "whole")
    decoded.clear()
    heard: list[int] = []

    def kill(stage: str, done: int, total: int, unit: str) -> None:
        heard.append(done)
        assert (stage, total, unit) == ("images", 41, "images")
        if done >= stop_at:
            raise _Killed

    with pytest.raises(_Killed):
        load(str(photos), wanted=SHAPE, place=Place(lambda: tmp_path / "run", progress=kill))
    assert heard == sorted(heard)
    noted = (tmp_path / "run/images.jsonl").read_text().count("\n") - 1
    with (tmp_path / "run/images.jsonl").open("a") as log:
        log.write('{"done": 4')
    with (tmp_path / "run/images.pixels").open("ab") as pixels:
        pixels.write(b"what was written after the last note")
    decoded.clear()
    again = _load(photos, tmp_path / "run")
    assert again.digest == whole.digest
    assert again.reading == whole.reading
    assert (len(decoded) < 41) == (noted > 0)
    assert torch.equal(again.pixels, whole.pixels)


def test_a_full_disk_is_an_error_before_anything_is_read(
    photos: Path, tmp_path: Path, decoded: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 100})())
    for place in (Place(lambda: tmp_path / "run"), Place()):
        with pytest.raises(StorageError, match="GiB left; nothing was read"):
            load(str(photos), wanted=SHAPE, place=place)
    assert decoded == []
