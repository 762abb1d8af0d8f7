"""What every teacher promises, whatever is wrapped: it decides and says nothing else."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from db3kd.errors import PlanError
from db3kd.ledger import Ledger
from db3kd.oracle import Oracle
from db3kd.teachers import (
    AbstainingTeacher,
    Preparation,
    PreparedTeacher,
    ServedTeacher,
    Service,
    Teacher,
    TeacherSpec,
    TorchTeacher,
)
from db3kd.tensors import Float, Tensor
from known_teachers import Ball, Constant, Counting, Flaky, HalfSpace, Liar, Sectors, Slow
from made_teachers import CLASSES, IMAGES, SHAPE, WEIGHTS, function_teacher


def _network() -> nn.Module:
    linear = nn.Linear(16, CLASSES)
    with torch.no_grad():
        linear.weight.copy_(torch.from_numpy(WEIGHTS.T))
        linear.bias.copy_(torch.from_numpy(-0.5 * WEIGHTS.sum(0)))
    return nn.Sequential(nn.Flatten(), linear)


def _torch_teacher() -> Teacher:
    return TorchTeacher(_network(), input_shape=SHAPE, num_classes=CLASSES)


ADAPTERS: dict[str, Callable[[], Teacher]] = {
    "torch": _torch_teacher,
    "function": function_teacher,
    "abstaining": lambda: AbstainingTeacher(function_teacher(), (-1,)),
    "prepared": lambda: PreparedTeacher(function_teacher(), Preparation(), image_shape=SHAPE),
    "served": lambda: ServedTeacher(function_teacher(), Service(in_flight=2)),
}
every_adapter = pytest.mark.parametrize("make", ADAPTERS.values(), ids=ADAPTERS)


@every_adapter
class TestEveryAdapter:
    def test_it_gives_one_class_per_image_and_nothing_else(self, make: Callable[[], Teacher]) -> None:
        decisions = make()(IMAGES)
        assert isinstance(decisions, Tensor)
        assert (decisions.shape, decisions.dtype, decisions.device.type) == ((50,), torch.int64, "cpu")
        assert len(decisions.unique()) > 1
        assert 0 <= int(decisions.min()) <= int(decisions.max()) < CLASSES
        # No scores hang on to it: no graph, no larger tensor behind it, and an ordinary tensor that may be written to.
        assert decisions.grad_fn is None
        assert not decisions.is_inference()
        assert decisions.untyped_storage().nbytes() == 50 * 8
        decisions += 1

    def test_it_is_a_teacher_and_an_oracle_takes_it(self, make: Callable[[], Teacher]) -> None:
        teacher = make()
        assert isinstance(teacher, Teacher)
        with Ledger(None) as ledger, ledger.account("label") as account:
            assert torch.equal(Oracle(teacher, account)(IMAGES), teacher(IMAGES))
            assert account.spent == 50

    def test_the_same_has_the_same_fingerprint_and_the_images_stay_as_they_are(
        self, make: Callable[[], Teacher]
    ) -> None:
        assert make().spec == make().spec
        assert make().spec.fingerprint
        before = IMAGES.clone()
        first, second = make()(IMAGES), make()(IMAGES)
        assert torch.equal(first, second)
        assert torch.equal(IMAGES, before)

    def test_any_memory_layout_gives_the_same_decisions(self, make: Callable[[], Teacher]) -> None:
        strided = IMAGES.transpose(2, 3).contiguous().transpose(2, 3)
        assert torch.equal(make()(strided), make()(IMAGES))

    def test_images_that_carry_a_gradient_are_taken_and_get_none(self, make: Callable[[], Teacher]) -> None:
        images = IMAGES.clone().requires_grad_()
        assert not make()(images).requires_grad
        assert images.grad is None


class TestSpec:
    @pytest.mark.parametrize(
        ("changes", "named"),
        [
            ({"input_shape": (1, 4)}, "input_shape"),
            ({"input_shape": (1, 0, 4)}, "input_shape"),
            ({"num_classes": 1}, "num_classes"),
            ({"bounds": (1.0, 0.0)}, "bounds"),
            ({"bounds": (0.0, float("nan"))}, "bounds"),
            ({"max_batch": 0}, "max_batch"),
            ({"levels": 1}, "levels"),
        ],
    )
    def test_what_no_teacher_can_be_is_refused(self, changes: dict[str, object], named: str) -> None:
        described: dict[str, object] = {"input_shape": SHAPE, "num_classes": 2, **changes}
        with pytest.raises((PlanError, TypeError), match=named):
            TeacherSpec(**described)  # type: ignore[arg-type]  # wrong on purpose

    def test_all_faults_are_told_at_once(self) -> None:
        with pytest.raises(PlanError, match=r"num_classes.*bounds.*max_batch.*levels"):
            TeacherSpec(SHAPE, 0, (1.0, 1.0), 0, "", 0)

    @pytest.mark.parametrize("bounds", [(0.0, 1.0), (-1.0, 1.0), (0.0, 255.0)])
    @pytest.mark.parametrize("levels", [None, 2, 256])
    def test_admitted_points_are_in_bounds_on_levels_and_stay_when_admitted_again(
        self, bounds: tuple[float, float], levels: int | None
    ) -> None:
        spec = TeacherSpec(SHAPE, 2, bounds, levels=levels)
        points: Float[Tensor, "b c h w"] = (
            torch.randn(20, *SHAPE, generator=torch.Generator().manual_seed(1)) * 2 * bounds[1]
        )
        admitted = spec.admit(points)
        assert bounds[0] <= float(admitted.min()) <= float(admitted.max()) <= bounds[1]
        assert torch.equal(spec.admit(admitted), admitted)
        if levels is None:
            assert spec.level_step == 0
        else:
            steps = (admitted - bounds[0]) / spec.level_step
            assert torch.allclose(steps, steps.round(), atol=1e-4)
            inside = points.clamp(*bounds)
            assert float((admitted - inside).abs().max()) <= spec.level_step * 0.5001


def test_the_teachers_of_the_tests_are_teachers() -> None:
    known = [HalfSpace(), Ball(), Sectors(), Constant(), Liar(), Flaky(Sectors()), Slow(Sectors()), Counting(Sectors())]
    assert all(isinstance(teacher, Teacher) for teacher in known)
