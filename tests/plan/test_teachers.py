"""Teachers by their URI: options in it, keys beside it, and the preparation that they ask for."""

import sys
import types
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from db3kd.errors import PlanError
from db3kd.models import build, weights
from db3kd.plan import open_teacher, parse_plan
from db3kd.plan.teacher_keys import TeacherSection
from db3kd.teachers import Preparation, PreparedTeacher, TorchTeacher
from known_teachers import Sectors

described = Sectors((3, 8, 8))


def sees_whole_numbers(images: object) -> list[int]:
    """A callable of a user's own."""
    return [0] * len(images)  # type: ignore[arg-type]  # an array


@pytest.fixture
def network(tmp_path: Path) -> str:
    module = build("lenet5-fifth", (3, 16, 16), 4)
    path = tmp_path / "teacher.safetensors"
    path.write_bytes(weights.to_bytes(module, weights.describe("lenet5-fifth", (3, 16, 16), 4)))
    return f"torch:lenet5-fifth@{path}"


def _section(content: dict[str, object]) -> TeacherSection:
    section = parse_plan({"teacher": content}).teacher
    assert section is not None
    return section


def test_options_of_a_uri_reach_the_teacher(network: str) -> None:
    options = "scale=255&channel_order=bgr&mean=1,2,3&deviation=4,5,6&resize=16,16&input_shape=3,20,20&levels=256"
    teacher = open_teacher(_section({"uri": f"{network}?{options}"})).teacher
    assert isinstance(teacher, PreparedTeacher)
    assert (teacher.spec.input_shape, teacher.spec.bounds, teacher.spec.levels) == ((3, 20, 20), (0.0, 1.0), 256)


def test_preparation_brings_images_to_the_network_in_the_file(network: str) -> None:
    module, _ = weights.from_file(network.partition("@")[2])
    gray = torch.rand(6, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    opened = open_teacher(_section({"uri": f"{network}?gray_to_color=true&mean=0.5&deviation=0.25"}))
    assert opened.teacher.spec.input_shape == (1, 16, 16)
    with torch.no_grad():
        expected = module(((gray - 0.5) / 0.25).expand(-1, 3, -1, -1)).argmax(1)
    assert torch.equal(opened.teacher(gray), expected)


def test_a_run_that_kept_its_plan_opens_the_same_teacher(network: str) -> None:
    for uri in (network, f"{network}?scale=255"):
        plan = parse_plan({"teacher": {"uri": uri}})
        kept = parse_plan(plan.written())
        assert plan.teacher is not None
        assert kept.teacher == plan.teacher
        assert open_teacher(kept.teacher).teacher.spec == open_teacher(plan.teacher).teacher.spec


def test_without_a_key_of_it_there_is_no_preparation(network: str) -> None:
    assert isinstance(open_teacher(_section({"uri": network})).teacher, TorchTeacher)


def test_images_may_be_prepared_for_a_teacher_that_describes_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "users_own", __import__("types").ModuleType("users_own"))
    monkeypatch.setattr("users_own.described", described, raising=False)
    monkeypatch.setattr("users_own.decide", sees_whole_numbers, raising=False)
    plain = open_teacher(_section({"uri": "python:users_own:described"})).teacher
    assert plain is described
    behind = open_teacher(_section({"uri": "python:users_own:described?gray_to_color=true"})).teacher
    assert behind.spec.input_shape == (1, 8, 8)
    with pytest.raises(PlanError, match="max_batch"):
        open_teacher(_section({"uri": "python:users_own:described?max_batch=7"}))
    callable_ = open_teacher(_section({"uri": "python:users_own:decide?input_shape=1,9,9&num_classes=2&scale=255"}))
    assert callable_.teacher.spec.bounds == (0.0, 1.0)


def test_bounds_and_a_preparation_exclude_each_other_and_resize_needs_the_images_shape(network: str) -> None:
    with pytest.raises(PlanError, match="bounds"):
        open_teacher(_section({"uri": network, "bounds": [0, 255], "scale": 255}))
    with pytest.raises(PlanError, match="input_shape"):
        open_teacher(_section({"uri": network, "resize": [16, 16]}))
    assert Preparation(scale=255.0).bounds == (0.0, 255.0)


FITTED = LogisticRegression(max_iter=1000).fit(
    np.random.default_rng(0).random((40, 16)) * 16, np.where(np.arange(40) % 3, "night", "day")
)


def names_them(images: npt.NDArray[np.float32]) -> list[str]:
    """A callable that answers with names."""
    return ["day" if image.mean() > 0.5 else "dusk" for image in images]


def test_a_fitted_classifier_is_a_teacher_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "users_own", types.ModuleType("users_own"))
    monkeypatch.setattr("users_own.fitted", FITTED, raising=False)
    images = torch.rand(12, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    teacher = open_teacher(_section({"uri": "python:users_own:fitted?input_shape=1,4,4&scale=16&levels=256"})).teacher
    assert (teacher.spec.class_names, teacher.spec.bounds) == (("day", "night"), (0.0, 1.0))
    levels = (images * 255).round() / 255
    expected = FITTED.predict(levels.flatten(1).numpy() * 16)
    assert [teacher.spec.class_names[number] for number in teacher(images).tolist()] == expected.tolist()
    plain = open_teacher(_section({"uri": "python:users_own:fitted?input_shape=1,4,4&levels=256"})).teacher
    assert plain.spec.levels == 256
    with pytest.raises(PlanError, match="scikit-learn"):
        open_teacher(_section({"uri": "python:users_own:fitted"}))


def test_a_torch_module_is_a_teacher_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "users_own", types.ModuleType("users_own"))
    module = build("lenet5-fifth", (1, 16, 16), 3).eval()
    monkeypatch.setattr("users_own.network", module, raising=False)
    images = torch.rand(12, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    uri = "python:users_own:network?input_shape=1,16,16"
    plain = open_teacher(_section({"uri": f"{uri}&num_classes=3"})).teacher
    named = open_teacher(_section({"uri": f"{uri}&class_names=ant,bee,cat&scale=2"})).teacher
    with torch.no_grad():
        assert torch.equal(plain(images), module(images).argmax(1))
        assert torch.equal(named(images), module(2 * images).argmax(1))
    assert named.spec.class_names == ("ant", "bee", "cat")
    for left_out in ("python:users_own:network?num_classes=3", uri):
        with pytest.raises(PlanError, match=r"a torch module with teacher.input_shape.*got a LeNet5"):
            open_teacher(_section({"uri": left_out}))


@pytest.mark.parametrize(("layout", "order"), [("nhwc", (0, 2, 3, 1)), ("nchw", (0, 1, 2, 3)), (None, (0, 1, 2, 3))])
def test_a_fitted_classifier_may_take_channels_last(
    layout: str | None, order: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "users_own", types.ModuleType("users_own"))
    monkeypatch.setattr("users_own.fitted", FITTED, raising=False)
    images = torch.rand(60, 4, 2, 2, generator=torch.Generator().manual_seed(0))
    section: dict[str, object] = {"uri": "python:users_own:fitted?input_shape=4,2,2&scale=16", "layout": layout}
    teacher = open_teacher(_section(section)).teacher
    expected = FITTED.predict(images.permute(order).flatten(1).numpy() * 16)
    assert [teacher.spec.class_names[number] for number in teacher(images).tolist()] == expected.tolist()


def test_a_callable_may_answer_with_the_names_that_the_plan_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "users_own", types.ModuleType("users_own"))
    monkeypatch.setattr("users_own.decide", names_them, raising=False)
    section = _section({"uri": "python:users_own:decide?input_shape=1,4,4&class_names=day,night"})
    teacher = open_teacher(section).teacher
    assert (teacher.spec.num_classes, teacher.spec.class_names) == (2, ("day", "night"))
    images = torch.stack([torch.full((1, 4, 4), 0.9), torch.full((1, 4, 4), 0.1)])
    assert teacher(images).tolist() == [0, 2]


def test_the_classes_of_a_file_may_be_named(network: str) -> None:
    names = "ant,bee,cat,dog"
    assert open_teacher(_section({"uri": f"{network}?class_names={names}"})).teacher.spec.class_names[3] == "dog"
    with pytest.raises(PlanError, match="class_names must be 4 names"):
        open_teacher(_section({"uri": f"{network}?class_names=ant,bee"}))


def test_a_part_of_the_image_may_be_what_the_teacher_takes(network: str) -> None:
    options = "input_shape=3,40,40&resize=20,20&interpolation=bicubic&crop=16,16"
    teacher = open_teacher(_section({"uri": f"{network}?{options}"})).teacher
    assert teacher.spec.input_shape == (3, 40, 40)
