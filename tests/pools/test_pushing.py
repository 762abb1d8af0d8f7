"""A push goes where the committee says: towards a class, or towards disagreement."""

import torch
from torch import nn

from db3kd.acquisition import Choosers, disagreement
from db3kd.answers import Candidates
from db3kd.pools import push, push_some
from db3kd.tensors import Float, Tensor
from made_answers import NONE, PRIORS, SHAPE, committee, seeded


class _Bright(nn.Module):
    """Class 1 where an image is bright, as a network whose gradient is known."""

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b num_classes"]:
        level = images.mean(dim=(1, 2, 3))
        return torch.stack([-level, level], dim=1)


def test_a_push_goes_where_the_members_say() -> None:
    start = Candidates(torch.full((4, *SHAPE), 128, dtype=torch.uint8), ("strokes",) * 3 + ("recombined/shapes",))
    pushed = push([_Bright()], start, torch.tensor([0, 0, 1, 1]))
    levels = pushed.pixels.float().mean(dim=(1, 2, 3))
    assert (levels[:2] < 128 - 60).all()
    assert (levels[2:] > 128 + 60).all()
    assert pushed.origins == ("pushed/strokes",) * 3 + ("pushed/shapes",)
    floating = push([_Bright()], Candidates(start.images(), start.origins), torch.tensor([0, 0, 1, 1]))
    assert torch.equal(floating.pixels, pushed.pixels)


def test_a_push_towards_disagreement_raises_it() -> None:
    members, start = committee(), PRIORS.draw(32, NONE, seeded())
    pushed = push(members, start, torch.full((32,), -1))
    after, before = (disagreement(Choosers(members).beliefs(some.pixels)).mean() for some in (pushed, start))
    assert after > before


def test_every_20th_candidate_is_pushed_and_most_towards_what_is_expected_seldom() -> None:
    candidates = PRIORS.draw(200, NONE, seeded())
    believed = torch.tensor([0.9, 0.1]).expand(1, 200, 2)
    pushed = push_some([_Bright()], candidates, believed, seeded(1))
    assert len(pushed) == 10
    assert (pushed.pixels.float().mean(dim=(1, 2, 3)) > 100).float().mean() > 0.7
    assert torch.equal(pushed.pixels, push_some([_Bright()], candidates, believed, seeded(1)).pixels)
