"""The emoji: one motif is never on both sides of the split, packages are checked, what cannot be fetched is told."""

import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest
import torch
from PIL import Image

from benchmark_program import Program
from benchmarks import emoji as module
from benchmarks.emoji import emoji, motif_of, on_white
from db3kd.data import load

GROUPS = ("Flags", "People & Body", "Symbols")


def png(color: tuple[int, int, int, int], side: int = 64) -> bytes:
    written = io.BytesIO()
    Image.new("RGBA", (side, side), color).save(written, "png")
    return written.getvalue()


def package(folder: Path, vendor: str, shade: int) -> str:
    """Ten emoji a group, of which people come as women and men, a swatch, and one without a picture; its sha256."""
    files, told = dict[str, bytes](), []
    for number, group in enumerate(GROUPS):
        for motif in range(10):
            # The motif is in the red, the vendor in the green.
            color = (20 * motif + number, shade, 60 * number, 255)
            sexes = ("-200D-2640-FE0F", "-200D-2642-FE0F") if group == "People & Body" else ("",)
            for sex in sexes:
                points = f"1F{number}{motif}0{sex}"
                told.append({"unified": points, "image": f"{points}.png", "category": group, f"has_img_{vendor}": True})
                files[f"package/img/{vendor}/64/{points}.png"] = png(color)
    told.append({"unified": "1F3FB", "image": "tone.png", "category": "Component", f"has_img_{vendor}": True})
    told.append({"unified": "1F999", "image": "none.png", "category": "Flags", f"has_img_{vendor}": False})
    files["package/emoji.json"] = json.dumps(told).encode()
    place = folder / "emoji" / f"emoji-datasource-{vendor}-16.0.0.tgz"
    place.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(place, "w:gz") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return hashlib.sha256(place.read_bytes()).hexdigest()


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DB3KD_DATA", str(tmp_path))
    # Nothing is fetched in a test.
    monkeypatch.setenv("PATH", str(tmp_path))


def test_all_pictures_of_a_motif_are_on_one_side(
    call: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sums = {vendor: package(tmp_path, vendor, shade) for vendor, shade in {"google": 100, "twitter": 200}.items()}
    monkeypatch.setattr(module, "VENDORS", sums)
    said = call(emoji, "--out", tmp_path / "emoji.npz").out
    pool, test = (load(f"npz:{tmp_path / 'emoji.npz'}", split) for split in ("train", "test"))
    assert pool.class_names == GROUPS
    assert pool.image_shape == (3, 64, 64)
    # Two of ten motifs of each group, by two vendors, and of people both sexes.
    assert [torch.bincount(known).tolist() for known in (pool.labels, test.labels) if known is not None] == [
        [16, 32, 16],
        [4, 8, 4],
    ]
    assert "64 and 16" in said
    motifs = [set(images.pixels[:, 0, 0, 0].tolist()) for images in (pool, test)]
    assert not motifs[0] & motifs[1]
    for images in (pool, test):
        shades, counts = images.pixels[:, 1, 0, 0].unique(return_counts=True)
        assert shades.tolist() == [100, 200]
        assert counts[0] == counts[1]
    call(emoji, "--out", tmp_path / "small.npz", "--side", "16")
    assert load(f"npz:{tmp_path / 'small.npz'}").image_shape == (3, 16, 16)


def test_a_motif_is_what_differs_by_sex_and_direction_alone() -> None:
    doctors = {motif_of(f"{person}-200D-2695-FE0F") for person in ("1F468", "1F469", "1F9D1")}
    runners = {motif_of("1F3C3"), motif_of("1F3C3-200D-2640-FE0F-200D-27A1-FE0F"), motif_of("1F3C3-200D-2642-FE0F")}
    assert doctors == {"person-2695"}
    assert runners == {"1F3C3"}
    assert len({motif_of("1F468"), motif_of("1F469"), motif_of("1F9D1"), motif_of("1F1E9-1F1EA")}) == 4


def test_what_is_transparent_is_white() -> None:
    assert on_white(png((255, 0, 0, 0), 8), 8).tolist() == [[[255, 255, 255]] * 8] * 8
    assert on_white(png((200, 100, 0, 255), 8), 4).tolist() == [[[200, 100, 0]] * 4] * 4


def test_another_package_is_refused_and_a_missing_one_told(call: Program, tmp_path: Path) -> None:
    out = tmp_path / "emoji.npz"
    told = call(emoji, "--out", out, expect=2).err
    assert "npm pack emoji-datasource-google@16.0.0" in told
    assert module.VENDORS["google"] in told
    package(tmp_path, "google", 100)
    assert "it was not used" in call(emoji, "--out", out, expect=2).err
    assert not out.exists()
