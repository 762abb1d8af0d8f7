"""Networks that choose say probabilities, in this process or wherever they are asked."""

from collections.abc import Sequence

import torch
from torch import nn

from db3kd.acquisition.choosers import Choosers, score_here
from db3kd.context import Context
from db3kd.tensors import Float, Pixels, Tensor
from made_answers import NONE, PRIORS, committee, seeded

PIXELS = PRIORS.draw(7, NONE, seeded(1)).pixels


def test_beliefs_are_the_probabilities_of_each_member() -> None:
    members = committee()
    beliefs = Choosers(members).beliefs(PIXELS)
    with torch.no_grad():
        logits = torch.stack([member.eval()(PIXELS.float() / 255) for member in members])
    assert beliefs.shape == (2, 7, 4)
    assert torch.allclose(beliefs, logits.exp() / logits.exp().sum(dim=2, keepdim=True), atol=1e-6)
    assert torch.equal(score_here(members, PIXELS, Context()).softmax(dim=2), beliefs)
    assert torch.allclose(Choosers(members).beliefs(PIXELS.float() / 255), beliefs, atol=1e-6)


def test_they_may_be_asked_elsewhere() -> None:
    asked: list[tuple[object, ...]] = []

    def score(members: Sequence[nn.Module], pixels: Pixels, context: Context) -> Float[Tensor, "k n c"]:
        asked.append((members, pixels, context))
        return torch.tensor([[[0.0, 0.0]], [[0.0, 3.0]]]).log()

    members, context = committee(), Context(seed=5)
    beliefs = Choosers(members, context, score).beliefs(PIXELS[:1])
    assert beliefs[1].tolist() == [[0.0, 1.0]]
    ((given, pixels, where),) = asked
    assert given is members
    assert isinstance(pixels, Tensor)
    assert torch.equal(pixels, PIXELS[:1])
    assert where is context
