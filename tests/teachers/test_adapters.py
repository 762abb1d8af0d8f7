"""One table of promises for every adapter: whatever is wrapped, it decides and tells nothing else."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import nn

from db3kd.errors import InvalidDecision, MaybeServed, NotServed, PlanError, TeacherError
from db3kd.ledger import Ledger
from db3kd.oracle import Oracle
from db3kd.teachers import FunctionTeacher, Teacher, TeacherSpec, TorchTeacher
from db3kd.tensors import Float, Tensor
from known_teachers import Ball, Constant, Counting, Flaky, HalfSpace, Liar, Sectors, Slow
from made_networks import two_layers
from processes import finish, start

SHAPE, CLASSES = (1, 4, 4), 5
WEIGHTS = np.random.default_rng(0).normal(size=(16, CLASSES)).astype(np.float32)
IMAGES = torch.rand(50, *SHAPE, generator=torch.Generator().manual_seed(0))


def _decide(images: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
    classes: npt.NDArray[np.int64] = ((images.reshape(len(images), -1) - 0.5) @ WEIGHTS).argmax(1)
    return classes


def _network(seed: int = 0) -> nn.Module:
    network = two_layers(input_shape=SHAPE, num_classes=CLASSES)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    return network


def _torch_teacher() -> Teacher:
    return TorchTeacher(_network(), input_shape=SHAPE, num_classes=CLASSES)


def _function_teacher() -> Teacher:
    return FunctionTeacher(_decide, input_shape=SHAPE, num_classes=CLASSES)


ADAPTERS: dict[str, Callable[[], Teacher]] = {"torch": _torch_teacher, "function": _function_teacher}
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


class TestTorchTeacher:
    def test_the_decision_is_the_highest_score(self) -> None:
        assert torch.equal(_torch_teacher()(IMAGES), _network()(IMAGES).argmax(1))

    def test_the_module_is_copied_and_left_in_its_mode(self) -> None:
        module = _network().train()
        teacher = TorchTeacher(module, input_shape=SHAPE, num_classes=CLASSES)
        before = teacher(IMAGES)
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.neg_()
        assert module.training
        assert torch.equal(teacher(IMAGES), before)
        assert not torch.equal(TorchTeacher(module, input_shape=SHAPE, num_classes=CLASSES)(IMAGES), before)

    def test_it_decides_in_eval_mode(self) -> None:
        module = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(16), nn.Dropout(0.9), nn.Linear(16, CLASSES)).train()
        teacher = TorchTeacher(module, input_shape=SHAPE, num_classes=CLASSES)
        alone = torch.cat([teacher(IMAGES[row : row + 1]) for row in range(50)])
        assert torch.equal(teacher(IMAGES), alone)

    def test_nothing_public_leads_to_the_module_or_its_scores(self) -> None:
        assert {name for name in vars(_torch_teacher()) if not name.startswith("_")} == {"spec"}

    def test_every_weight_and_buffer_is_in_the_fingerprint(self) -> None:
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


class TestFunctionTeacher:
    def test_the_function_gets_float32_arrays_of_its_own_in_plain_order(self) -> None:
        got: list[npt.NDArray[np.float32]] = []

        def decide(images: npt.NDArray[np.float32]) -> list[int]:
            got.append(images)
            images[...] = -1  # what it does to them reaches nobody
            return [0] * len(images)

        images = IMAGES.clone(memory_format=torch.preserve_format)
        teacher = FunctionTeacher(decide, input_shape=SHAPE, num_classes=CLASSES)
        assert teacher(images).tolist() == [0] * 50
        assert torch.equal(images, IMAGES)
        (array,) = got
        assert array.dtype == np.dtype(np.float32)
        assert array.shape == (50, *SHAPE)
        assert array.flags.c_contiguous
        assert array.flags.owndata

    @pytest.mark.parametrize("kind", [np.int8, np.uint8, np.int32, np.int64, np.uint16])
    def test_any_integers_are_classes(self, kind: type[np.integer]) -> None:
        teacher = FunctionTeacher(lambda images: _decide(images).astype(kind), input_shape=SHAPE, num_classes=CLASSES)
        assert teacher(IMAGES).dtype == torch.int64
        assert torch.equal(teacher(IMAGES), _function_teacher()(IMAGES))

    @pytest.mark.parametrize(
        ("answer", "told"),
        [
            (lambda images: np.zeros(len(images)), "float64"),
            (lambda images: np.zeros((len(images), CLASSES)), "argmax"),
            (lambda images: np.zeros((len(images), 1), dtype=int), r"\(50, 1\)"),
            (lambda images: np.zeros(len(images) - 1, dtype=int), r"\(49,\)"),
            (lambda images: 3, r"\(\)"),
            (lambda images: None, "object"),
            (lambda images: ["a"] * len(images), "<U1"),
            (lambda images: np.zeros(len(images), dtype=bool), "bool"),
        ],
        ids=["float", "scores", "column", "short", "number", "nothing", "names", "bool"],
    )
    def test_what_is_no_class_per_image_is_refused_in_words(
        self, answer: Callable[[npt.NDArray[np.float32]], npt.ArrayLike], told: str
    ) -> None:
        teacher = FunctionTeacher(answer, input_shape=SHAPE, num_classes=CLASSES)
        with pytest.raises(InvalidDecision, match=told):
            teacher(IMAGES)

    def test_an_error_of_the_function_is_named_and_kept_as_the_cause(self) -> None:
        def decide(images: npt.NDArray[np.float32]) -> list[int]:
            raise KeyError("no such model")

        teacher = FunctionTeacher(decide, input_shape=SHAPE, num_classes=CLASSES)
        with Ledger(None) as ledger, ledger.account("label") as account:
            with pytest.raises(TeacherError, match=r"KeyError: 'no such model'; the 50 rows stay charged") as caught:
                Oracle(teacher, account)(IMAGES)
            assert isinstance(caught.value.__cause__, KeyError)
            assert account.spent == 50

    @pytest.mark.parametrize("error", [MaybeServed, NotServed])
    def test_a_function_that_asks_a_service_may_say_that_a_retry_makes_sense(self, error: type[TeacherError]) -> None:
        calls: list[int] = []

        def decide(images: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
            calls.append(len(images))
            if len(calls) == 1:
                raise error("the line broke")
            return _decide(images)

        teacher = FunctionTeacher(decide, input_shape=SHAPE, num_classes=CLASSES)
        with Ledger(None) as ledger, ledger.account("label") as account:
            assert torch.equal(Oracle(teacher, account)(IMAGES), _function_teacher()(IMAGES))
            assert account.spent == (100 if error is MaybeServed else 50)

    def test_another_function_has_another_fingerprint(self) -> None:
        def fingerprint(decide: Callable[[npt.NDArray[np.float32]], npt.ArrayLike]) -> str:
            return FunctionTeacher(decide, input_shape=SHAPE, num_classes=CLASSES).spec.fingerprint

        functions: list[Callable[[npt.NDArray[np.float32]], npt.ArrayLike]] = [
            lambda images: images.sum((1, 2, 3)) > 1,
            lambda images: images.sum((1, 2, 3)) > 2,
            lambda images: images.max((1, 2, 3)) > 1,
            lambda images: [int(image.sum() > 1) for image in images],
            lambda images: [int(image.sum() > 2) for image in images],
            _decide,
        ]
        assert len({fingerprint(function) for function in functions}) == len(functions)

    def test_the_users_own_fingerprint_is_taken_as_it_is(self) -> None:
        teacher = FunctionTeacher(_decide, input_shape=SHAPE, num_classes=CLASSES, fingerprint="forest, March")
        assert teacher.spec.fingerprint == "forest, March"

    def test_the_fingerprint_is_the_same_in_another_process(self, monkeypatch: pytest.MonkeyPatch) -> None:
        printed = set()
        for hash_seed in ("1", "2"):
            monkeypatch.setenv("PYTHONHASHSEED", hash_seed)
            printed.add(finish(start(_FINGERPRINT)))
        assert len(printed) == 1


_FINGERPRINT = """
from db3kd.teachers import FunctionTeacher
def decide(images):
    return [int("cat" in {"cat", "dog", "bird"}) + sum(part > 0.5 for part in image.ravel()) for image in images]
print(FunctionTeacher(decide, input_shape=(1, 4, 4), num_classes=5).spec.fingerprint)
"""


class TestSpec:
    @pytest.mark.parametrize(
        ("changes", "told"),
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
    def test_what_no_teacher_can_be_is_refused(self, changes: dict[str, object], told: str) -> None:
        described: dict[str, object] = {"input_shape": SHAPE, "num_classes": 2, **changes}
        with pytest.raises((PlanError, TypeError), match=told):
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
