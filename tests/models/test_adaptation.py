"""Published weights fit other channels and classes, and nothing else is exchanged without a word."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from db3kd.errors import PlanError
from db3kd.models.adaptation import adapted, read_weights, take_channels
from db3kd.tensors import Tensor


def _network(channels: int = 3, classes: int = 4, *, seed: int = 0) -> nn.Sequential:
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        return nn.Sequential(
            nn.Conv2d(channels, 5, 3, bias=False), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, classes)
        )


def _fitted(found: dict[str, Tensor], network: nn.Sequential, classes: int) -> nn.Sequential:
    network.load_state_dict(adapted(found, network.state_dict(), classes, "mine"))
    return network.eval()


def test_where_all_fits_all_is_taken() -> None:
    found, network = _network(seed=1).state_dict(), _network(seed=2)
    taken = adapted(found, network.state_dict(), 4, "mine")
    assert taken.keys() == found.keys()
    assert all(torch.equal(taken[name], value) for name, value in found.items())


def test_gray_images_are_answered_as_the_same_images_in_colour() -> None:
    published = _network(seed=1).eval()
    gray = torch.rand(2, 1, 6, 6)
    network = _fitted(published.state_dict(), _network(channels=1, seed=2), 4)
    assert torch.allclose(network(gray), published(gray.expand(2, 3, 6, 6)), atol=1e-6)


def test_images_of_more_channels_that_are_all_alike_are_answered_like_gray_ones() -> None:
    published = {name: value.clone() for name, value in _network(seed=1).state_dict().items()}
    published["0.weight"][:] = published["0.weight"][:, :1].clone()
    three, gray = _network(), torch.rand(2, 1, 6, 6)
    three.load_state_dict(published)
    network = _fitted(published, _network(channels=6, seed=2), 4)
    assert torch.allclose(network(gray.expand(2, 6, 6, 6)), three.eval()(gray.expand(2, 3, 6, 6)), atol=1e-6)


def test_channels_are_taken_in_turn_each_at_a_part_of_its_strength() -> None:
    published = _network(seed=1).state_dict()
    network = _fitted(published, _network(channels=4, seed=2), 4)
    assert torch.allclose(network.get_parameter("0.weight"), published["0.weight"][:, [0, 1, 2, 0]] * 3 / 4)


def test_a_head_of_other_classes_or_none_stays_as_it_was_drawn() -> None:
    network = _network(classes=7, seed=2)
    drawn = {name: value.clone() for name, value in network.state_dict().items()}
    whole = _network(seed=1).state_dict()
    headless = {name: value for name, value in whole.items() if not name.startswith("3.")}
    for found in (whole, headless):
        taken = adapted(found, network.state_dict(), 7, "mine")
        assert torch.equal(taken["3.weight"], drawn["3.weight"])
        assert torch.equal(taken["3.bias"], drawn["3.bias"])
        assert torch.equal(taken["0.weight"], whole["0.weight"])


def test_what_is_missing_or_of_another_form_is_named() -> None:
    found = dict(_network().state_dict())
    with pytest.raises(PlanError, match=r"do not fit mine as it is to be: 0\.weight is missing; no network was built"):
        adapted({name: value for name, value in found.items() if name != "0.weight"}, found, 4, "mine")
    with pytest.raises(PlanError, match=r"0\.weight is \[6, 3, 3, 3\] and should be \[5, 3, 3, 3\]"):
        adapted({**found, "0.weight": torch.zeros(6, 3, 3, 3)}, found, 4, "mine")
    wider = {**found, "0.weight": torch.zeros(5, 3, 5, 5), "3.weight": torch.zeros(4, 6)}
    with pytest.raises(
        PlanError, match=r"0\.weight is \[5, 3, 5, 5\] and should be \[5, 3, 3, 3\]; 3\.weight is \[4, 6\]"
    ):
        adapted(wider, found, 4, "mine")


def test_the_first_convolution_is_exchanged_wherever_it_lies() -> None:
    first, second = nn.Conv2d(3, 8, 5, stride=2, padding=1), nn.Conv2d(8, 8, 3)
    network = nn.Sequential(nn.Sequential(nn.Identity(), first), second)
    take_channels(network, 2)
    exchanged = network.get_submodule("0.1")
    assert isinstance(exchanged, nn.Conv2d)
    assert exchanged.weight.shape == (8, 2, 5, 5)
    assert (exchanged.stride, exchanged.padding) == ((2, 2), (1, 1))
    assert exchanged.bias is not None
    assert network[1] is second
    assert network(torch.zeros(1, 2, 16, 16)).shape == (1, 8, 5, 5)
    plain = nn.Sequential(nn.Conv2d(3, 8, 5, bias=False))
    take_channels(plain, 1)
    assert plain.state_dict().keys() == {"0.weight"}


def test_a_file_of_weights_is_read_or_named(tmp_path: Path) -> None:
    weights = {"one": torch.rand(2, 3)}
    save_file(weights, tmp_path / "kept.safetensors")
    assert torch.equal(read_weights(str(tmp_path / "kept.safetensors"))["one"], weights["one"])
    (tmp_path / "broken.safetensors").write_bytes(b"no weights")
    for name in ("broken.safetensors", "nowhere.safetensors"):
        with pytest.raises(PlanError, match=rf"{name} cannot be read .* name a safetensors file"):
            read_weights(str(tmp_path / name))
