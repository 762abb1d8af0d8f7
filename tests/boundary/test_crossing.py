"""The best crossings keep the nearest point that was offered, whatever the order."""

import torch

from db3kd.boundary import Outcome, Pairs
from db3kd.boundary.crossing import BestCrossings


def _best() -> BestCrossings:
    images = torch.zeros(2, 1, 2, 2)
    return BestCrossings(Pairs.leaving_own_class(images, ["a", "b"], torch.tensor([0, 1])))


def test_of_several_points_of_a_row_the_nearest_stays() -> None:
    best = _best()
    lengths = torch.tensor([3.0, 1.0, 2.0])
    points = lengths[:, None] * torch.eye(4)[:3]
    assert torch.equal(best.offer(torch.tensor([0, 0, 0]), points), lengths)
    assert best.distances.tolist() == [1.0, torch.inf]
    assert torch.equal(best.points[0], torch.eye(4)[1])
    assert best.points[1].isnan().all()
    best.offer(torch.tensor([0, 1]), points[[2, 0]])
    assert best.distances.tolist() == [1.0, 3.0]
    assert torch.equal(best.directions(torch.tensor([0, 1])), torch.eye(4)[[1, 0]])


def test_every_outcome_has_a_sentence() -> None:
    assert len({outcome.sentence for outcome in Outcome}) == len(Outcome)
