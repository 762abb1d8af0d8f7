"""What is written down of the published data sets is whole, and fits the real files."""

from pathlib import Path

import pytest

from db3kd.data import load
from db3kd.data.published import CIFAR10, FASHION_MNIST, MNIST, Collection

every_collection = pytest.mark.parametrize("named", [MNIST, FASHION_MNIST, CIFAR10], ids=lambda named: named.name)


@every_collection
def test_each_file_and_each_download_has_a_sum_of_its_own(named: Collection) -> None:
    files = {*named.train, *named.test}
    assert len(files) == len(named.train) + len(named.test)
    downloads = {named.archive} if named.archive else {f"{name}.gz" for name in files}
    assert named.sha256.keys() == files | downloads
    assert all(len(bytes.fromhex(sha256)) == 32 for sha256 in named.sha256.values())
    assert len(set(named.sha256.values())) == len(named.sha256)
    assert len(set(named.class_names)) == 10


@every_collection
def test_nothing_is_downloaded_in_the_clear(named: Collection) -> None:
    assert named.mirrors
    assert all(mirror.startswith("https://") and mirror.endswith("/") for mirror in named.mirrors)


@pytest.mark.skipif(
    not Path("/usr/share/datasets/fashion-mnist").is_dir(),
    reason="Debian's package dataset-fashion-mnist is not installed",
)
def test_the_files_of_the_debian_package_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = tmp_path / "cache"
    monkeypatch.setenv("DB3KD_DATA", str(cache))
    train, test = load("fashion-mnist"), load("fashion-mnist", "test")
    assert (len(train), len(test), train.image_shape) == (60_000, 10_000, (1, 28, 28))
    assert train.ids[17] == "fashion-mnist/train/00017"
    assert train.labels is not None
    assert test.labels is not None
    # An ankle boot, two T-shirts, a dress: as in the authors' own pages.
    assert train.labels[:4].tolist() == [9, 0, 0, 3]
    assert train.labels.bincount().tolist() == [6000] * 10
    assert test.labels.bincount().tolist() == [1000] * 10
    assert train.class_names[9] == "Ankle boot"
    # The mean that is used everywhere to normalise this data set.
    assert train.images().mean().item() == pytest.approx(0.2860, abs=5e-5)
    assert not cache.exists()
