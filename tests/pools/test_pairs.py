"""Boundary pairs close in on the boundary, and one class alone has none."""

from dataclasses import replace

import pytest
import torch

from db3kd.pools import BoundaryPairs
from made_answers import answered, decide, seeded


def test_pairs_close_in_on_the_boundary() -> None:
    pairs = BoundaryPairs(answered(), 60, seeded())
    assert len(pairs) == 60
    gaps = []
    for _ in range(6):
        asked = pairs.propose()
        gaps.append((pairs.ends.other - pairs.ends.own).flatten(1).norm(dim=1).mean())
        assert all(origin.startswith("between/") for origin in asked.origins)
        pairs.observe(decide(asked.images()))
    assert gaps[-1] == pytest.approx(float(gaps[0]) / 32, rel=0.01)
    low, high = ((end * 255).round() / 255 for end in pairs.ends)
    assert (decide(low) != decide(high)).float().mean() > 0.9


def test_one_class_alone_has_no_pairs() -> None:
    answers = answered()
    pairs = BoundaryPairs(replace(answers, decisions=torch.zeros_like(answers.decisions)), 60, seeded())
    assert len(pairs) == 0
    assert len(pairs.propose()) == 0
