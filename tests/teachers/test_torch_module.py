"""A torch module as a teacher."""

import torch
from torch import nn

from db3kd.teachers import Teacher, TorchTeacher
from made_networks import two_layers

SHAPE, CLASSES = (1, 4, 4), 5
IMAGES = torch.rand(50, *SHAPE, generator=torch.Generator().manual_seed(0))


def _network(seed: int = 0) -> nn.Module:
    network = two_layers(input_shape=SHAPE, num_classes=CLASSES)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    return network


def _torch_teacher() -> Teacher:
    return TorchTeacher(_network(), input_shape=SHAPE, num_classes=CLASSES)


def test_the_decision_is_the_highest_score() -> None:
    assert torch.equal(_torch_teacher()(IMAGES), _network()(IMAGES).argmax(1))


def test_the_module_is_copied_and_left_in_its_mode() -> None:
    module = _network().train()
    teacher = TorchTeacher(module, input_shape=SHAPE, num_classes=CLASSES)
    before = teacher(IMAGES)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.neg_()
    assert module.training
    assert torch.equal(teacher(IMAGES), before)
    assert not torch.equal(TorchTeacher(module, input_shape=SHAPE, num_classes=CLASSES)(IMAGES), before)


def test_it_decides_in_eval_mode() -> None:
    module = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(16), nn.Dropout(0.9), nn.Linear(16, CLASSES)).train()
    teacher = TorchTeacher(module, input_shape=SHAPE, num_classes=CLASSES)
    alone = torch.cat([teacher(IMAGES[row : row + 1]) for row in range(50)])
    assert torch.equal(teacher(IMAGES), alone)


def test_nothing_public_leads_to_the_module_or_its_scores() -> None:
    assert {name for name in vars(_torch_teacher()) if not name.startswith("_")} == {"spec"}


def test_every_weight_and_buffer_is_in_the_fingerprint() -> None:
    def fingerprint(module: nn.Module) -> str:
        return TorchTeacher(module, input_shape=SHAPE, num_classes=CLASSES).spec.fingerprint

    module = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(16), nn.Linear(16, CLASSES))
    seen = {fingerprint(module)}
    for tensor in module.state_dict().values():
        tensor.flatten()[:1] += 1
        assert fingerprint(module) not in seen
        seen.add(fingerprint(module))
    # The layout in memory and the mode are not.
    assert fingerprint(module.eval().to(memory_format=torch.channels_last)) in seen  # type: ignore[call-overload]  # torch's stub lacks memory_format alone
