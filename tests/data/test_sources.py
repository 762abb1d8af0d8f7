from pathlib import Path

import pytest
import torch

from db3kd.data import load
from db3kd.errors import PlanError
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
