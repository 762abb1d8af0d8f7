"""What networks say of very many images is told as it comes, and is what they say at once."""

import pytest
import torch

from db3kd.context import Context
from db3kd.evaluation import scores
from db3kd.models import build
from db3kd.pipeline.scoring import scores_of

SHAPE = (1, 16, 16)
PIXELS = torch.randint(0, 256, (700, *SHAPE), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
NETWORKS = [build("lenet5-fifth", SHAPE, 4, seed=seed) for seed in (0, 1)]


def test_many_images_are_looked_at_part_by_part(monkeypatch: pytest.MonkeyPatch) -> None:
    heard = list[tuple[str, int, int, str]]()
    context = Context(progress=lambda *told, **named: heard.append((*told, *named.values())))
    expected = scores(NETWORKS, PIXELS)
    assert torch.equal(scores_of(NETWORKS, PIXELS, context), expected)
    assert not heard, "few images take no time worth telling"
    monkeypatch.setattr("db3kd.pipeline.scoring._LONG", 1000)
    monkeypatch.setattr("db3kd.pipeline.scoring._PART", 256)
    assert torch.equal(scores_of(NETWORKS, PIXELS, context, stage="choice"), expected)
    assert heard == [("choice", done, 700, "images") for done in (0, 256, 512, 700)]
    rows = torch.tensor([5, 3, 600])
    assert torch.allclose(scores_of(NETWORKS, PIXELS, context, rows), expected[:, rows], atol=1e-5)
