"""Networks that are stacked answer as each of them does alone, and the parts of each are its own."""

import torch
from torch import nn

from db3kd.models import build
from db3kd.training.learners import Alone, Stacked, stack

SHAPE = (1, 16, 16)
NETWORKS = [build("lenet5-fifth", SHAPE, 3, seed=seed).eval() for seed in (1, 2)]
CPU = torch.device("cpu")


def test_each_member_answers_its_own_images() -> None:
    images = torch.rand(2, 5, *SHAPE)
    together = Stacked((1, 2)).answer(stack(NETWORKS), images)
    for number, network in enumerate(NETWORKS):
        alone = Alone(number).answer(network, images[number : number + 1])
        assert alone.shape == (1, 5, 3)
        assert torch.allclose(together[number], alone[0], atol=1e-5)


def test_a_stack_is_a_copy_with_the_weights_of_all() -> None:
    stacked = stack(NETWORKS)
    for name, value in stacked.state_dict().items():
        for number, network in enumerate(NETWORKS):
            assert torch.equal(Stacked((1, 2)).own(value, number), network.state_dict()[name])
    before = [value.clone() for value in NETWORKS[0].state_dict().values()]
    with torch.no_grad():
        for parameter in stacked.parameters():
            parameter.zero_()
    assert all(map(torch.equal, before, NETWORKS[0].state_dict().values()))


def test_what_is_written_into_a_members_part_reaches_that_member_alone() -> None:
    value = torch.zeros(2, 3)
    Stacked((1, 2)).own(value, 1).fill_(7)
    assert value.tolist() == [[0.0] * 3, [7.0] * 3]
    steps = torch.tensor(4.0)
    assert Stacked((1, 2)).own(steps, 1) is steps, "steps are counted once for all members"
    assert Alone(0).own(value, 0) is value


def test_a_function_is_called_for_each_member_with_its_own_values() -> None:
    first, second = torch.arange(6.0).view(2, 3), torch.tensor([10.0, 20.0])
    assert Stacked((1, 2)).each(lambda some, one: some.sum() + one, first, second).tolist() == [13.0, 32.0]
    assert Alone(0).each(lambda some, one: some.sum() + one, first[:1], second[:1]).tolist() == [13.0]


def test_what_a_network_draws_follows_from_seed_and_epoch_and_leaves_other_chance_alone() -> None:
    def drawn(seed: int, epoch: int) -> list[float]:
        with Alone(seed).randomness(epoch, CPU):
            drawn: list[float] = nn.Dropout(0.5)(torch.ones(64)).tolist()
            return drawn

    chance = torch.get_rng_state()
    assert drawn(1, 2) == drawn(1, 2)
    assert drawn(1, 2) != drawn(1, 3) != drawn(2, 3)
    assert torch.equal(torch.get_rng_state(), chance)
