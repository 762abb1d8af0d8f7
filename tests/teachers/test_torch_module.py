"""A torch module as a teacher, whatever it returns and in whatever form it comes."""

import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from db3kd.errors import InvalidDecision, PlanError
from db3kd.ledger import Ledger
from db3kd.oracle import Oracle
from db3kd.teachers import Teacher, TorchTeacher
from db3kd.tensors import Tensor
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


class _Answering(nn.Module):
    """Gives what a function makes of the scores of a network."""

    def __init__(self, change: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.network, self.change = _network(), change

    def forward(self, images: Tensor) -> Any:
        return self.change(self.network(images))


def _of(module: Any, **options: Any) -> TorchTeacher:
    return TorchTeacher(module, input_shape=SHAPE, num_classes=CLASSES, **options)


def test_classes_are_found_in_what_a_module_returns() -> None:
    changes: list[Callable[[Tensor], Any]] = [
        lambda scores: SimpleNamespace(logits=scores, hidden=None),
        lambda scores: scores.argmax(1),
    ]
    for change in changes:
        assert torch.equal(_of(_Answering(change))(IMAGES), _torch_teacher()(IMAGES))


@pytest.mark.parametrize(
    ("change", "told"), [(lambda scores: None, "got NoneType"), (lambda scores: scores * torch.nan, "NaN")]
)
def test_another_answer_costs_one_query(change: Callable[[Tensor], Any], told: str) -> None:
    with Ledger(None) as ledger, ledger.account("label") as account:
        with pytest.raises(InvalidDecision, match=told):
            Oracle(_of(_Answering(change)), account)(IMAGES)
        assert account.spent == 1


@pytest.mark.filterwarnings("ignore:.*weight_norm.*deprecated:FutureWarning")
@pytest.mark.parametrize(
    "normalise",
    [
        nn.utils.weight_norm,
        nn.utils.spectral_norm,
        nn.utils.parametrizations.weight_norm,
        nn.utils.parametrizations.spectral_norm,
    ],
    ids=["weight", "spectral", "weight, parametrised", "spectral, parametrised"],
)
def test_a_normalised_module_is_taken_after_a_forward_pass(normalise: Callable[[nn.Module], nn.Module]) -> None:
    module = _network().train()
    normalise(module[1])  # type: ignore[index]  # a Sequential
    module(IMAGES)
    teacher = _of(module)
    assert module.training
    with torch.no_grad():
        assert torch.equal(teacher(IMAGES), module.eval()(IMAGES).argmax(1))


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
def test_a_module_of_another_type_of_floats_gets_it(kind: torch.dtype) -> None:
    module = _network().to(kind)
    with torch.no_grad():
        assert torch.equal(_of(module)(IMAGES), module(IMAGES.to(kind)).argmax(1))
    assert _of(module).spec.fingerprint == _of(module).spec.fingerprint != _torch_teacher().spec.fingerprint


def _exported(batch: int | None) -> Any:
    sides = None if batch else ({0: torch.export.Dim("rows", min=1, max=512)},)
    return torch.export.export(_network(), (IMAGES[: batch or 7],), dynamic_shapes=sides)


@pytest.mark.filterwarnings("ignore:.*LeafSpec.*:FutureWarning", "ignore:.*torch.jit.*:DeprecationWarning")
@pytest.mark.parametrize(
    ("make", "rows"),
    [
        (lambda: torch.jit.script(_network()), 96),
        (lambda: torch.jit.trace(_network(), IMAGES[:2]), 96),
        (lambda: torch.compile(_network(), backend="eager"), 96),
        (lambda: _exported(None), 96),
        (lambda: _exported(None).module(), 96),
        (lambda: _exported(16), 16),
    ],
    ids=["scripted", "traced", "compiled", "exported", "exported module", "exported with a fixed batch"],
)
def test_a_module_may_be_scripted_compiled_or_exported(make: Callable[[], Any], rows: int) -> None:
    teacher = _of(make())
    assert teacher.spec.max_batch == rows
    with Ledger(None) as ledger, ledger.account("label") as account:
        assert torch.equal(Oracle(teacher, account)(IMAGES), _torch_teacher()(IMAGES))
        assert account.spent == 50


def test_a_module_on_another_device_is_copied_and_one_without_weights_is_refused() -> None:
    with pytest.raises(PlanError, match=r"no weights yet.*meta.*load them"):
        _of(_network().to("meta"))


def test_what_cannot_be_copied_is_refused_with_a_way_out() -> None:
    class Locked(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lock = threading.Lock()

    with pytest.raises(PlanError, match=r"cannot be copied.*TypeError.*FunctionTeacher"):
        _of(Locked())


def test_it_says_that_it_was_put_into_eval_mode(caplog: pytest.LogCaptureFixture) -> None:
    _of(_network().eval())
    assert not caplog.records
    _of(_network().train())
    assert [record.getMessage() for record in caplog.records] == [
        "the module was in training mode: the teacher is a copy of it in eval mode"
    ]


def test_the_classes_may_have_names() -> None:
    names = ("ant", "bee", "cat", "dog", "eel")
    assert _of(_network(), class_names=names).spec.class_names == names
