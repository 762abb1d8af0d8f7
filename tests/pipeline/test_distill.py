"""The whole way in one line: a teacher that only decides, images, a student."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from torch import nn

import db3kd
from db3kd.boundary import SignOptOptions
from db3kd.boundary.methods import BoundaryDistance, GuidedDistance, MinimalBoundaryDistance, SampleDistance
from db3kd.data import Dataset, load
from db3kd.errors import BudgetExhausted, InputError, RunMismatch
from db3kd.execution import Labelling
from db3kd.models import build, parameter_count
from db3kd.pipeline import Budget, Distillation, Story, choose_labelling, distilling, tell
from db3kd.pipeline.distilling import MethodName
from db3kd.pipeline.labelling import label
from db3kd.runs import Run
from db3kd.teachers import FunctionTeacher, TorchTeacher
from db3kd.training import Recipe
from known_teachers import Counting, Failing, Sectors
from made_files import write_cifar10_folder
from questions import draw_images

STUDENT = "made_networks:two_layers"
QUICK = Recipe("adam", 1e-2, epochs=3, batch_size=32)


@pytest.fixture(scope="module")
def digits() -> tuple[np.ndarray, np.ndarray]:
    images, labels = load_digits(return_X_y=True)
    return (images / 16.0).astype(np.float32).reshape(-1, 1, 8, 8), labels


@pytest.fixture(scope="module")
def forest(digits: tuple[np.ndarray, np.ndarray]) -> RandomForestClassifier:
    images, labels = digits
    return RandomForestClassifier(20, random_state=0).fit(images[:1200].reshape(1200, -1), labels[:1200])


@pytest.mark.parametrize("method", ["sd", "bd", "mbd", "guided"])
def test_a_random_forest_without_gradients_is_a_teacher_in_one_line(
    digits: tuple[np.ndarray, np.ndarray], forest: RandomForestClassifier, method: MethodName
) -> None:
    teacher = FunctionTeacher(lambda x: forest.predict(x.reshape(len(x), -1)), input_shape=(1, 8, 8), num_classes=10)
    images, _ = digits
    counting = Counting(teacher)
    budget = 300 + 300 * 9 * 30
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        student = db3kd.distill(
            counting,
            images[:300],
            student=STUDENT,
            method=method,
            budget=budget,
            recipe=Recipe("adam", 3e-2, epochs=15, batch_size=100),
        )
    assert 300 <= counting.rows <= budget
    assert (counting.rows > 300 + 16) == (method != "sd")
    assert not student.training
    held_out = torch.from_numpy(images[1200:])
    agreement = (student(held_out).argmax(1) == teacher(held_out)).float().mean()
    # Guessing agrees on a tenth.
    assert agreement > 0.7


def _teacher() -> Sectors:
    return Sectors(shape=(1, 4, 4), classes=3)


def test_a_run_makes_it_durable_and_the_same_call_again_asks_nothing(tmp_path: Path) -> None:
    teacher, images = Counting(_teacher()), draw_images(_teacher(), 30)
    first = db3kd.distill(teacher, images, student=STUDENT, budget=2000, recipe=QUICK, run=tmp_path, method="bd")
    asked = teacher.rows
    again = db3kd.distill(teacher, images, student=STUDENT, budget=2000, recipe=QUICK, run=tmp_path, method="bd")
    assert teacher.rows == asked <= 2000
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))
    with Run(tmp_path) as run:
        assert run.statement().total == asked


def test_interrupted_it_goes_on_in_its_run_to_the_same_student(tmp_path: Path) -> None:
    images = draw_images(_teacher(), 30)

    def go(teacher: Counting | Failing, folder: Path) -> bytes:
        db3kd.distill(teacher, images, student=STUDENT, budget=2000, recipe=QUICK, run=folder, method="bd")
        return (folder / "student.safetensors").read_bytes()

    whole, counting = Counting(_teacher()), Counting(_teacher())
    reference = go(whole, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        go(Failing(counting, 4, KeyboardInterrupt), tmp_path / "parts")
    assert go(counting, tmp_path / "parts") == reference
    assert counting.rows == whole.rows


def test_another_teacher_or_other_images_are_refused_in_a_run(tmp_path: Path) -> None:
    images = draw_images(_teacher(), 30)
    db3kd.distill(_teacher(), images, student=STUDENT, budget=200, recipe=QUICK, run=tmp_path)
    with pytest.raises(RunMismatch, match="sectors"):
        db3kd.distill(Sectors((1, 4, 4), 4), images, student=STUDENT, budget=200, recipe=QUICK, run=tmp_path)
    with pytest.raises(RunMismatch, match=r"images is"):
        db3kd.distill(_teacher(), images + 1e-3 * (images < 0.5), student=STUDENT, recipe=QUICK, run=tmp_path)


def test_images_that_the_teacher_does_not_take_are_refused_before_a_query() -> None:
    counting = Counting(_teacher())
    with pytest.raises(InputError, match=r"\(1, 4, 4\)"):
        db3kd.distill(counting, torch.rand(5, 1, 5, 5), student=STUDENT, recipe=QUICK)
    with pytest.raises(InputError, match="no image"):
        db3kd.distill(counting, torch.rand(0, 1, 4, 4), student=STUDENT, recipe=QUICK)
    assert counting.rows == 0


def test_a_budget_below_one_query_an_image_is_told_and_not_passed() -> None:
    counting = Counting(_teacher())
    with pytest.raises(BudgetExhausted):
        db3kd.distill(counting, draw_images(_teacher(), 30), student=STUDENT, budget=29, recipe=QUICK)
    assert counting.rows <= 29


@pytest.mark.parametrize("allowance", [None, 0, 5, 21, 40, 1000, 10**6])
@pytest.mark.parametrize("method", ["sd", "bd", "mbd", "guided"])
def test_the_chosen_search_fits_the_allowance(method: MethodName, allowance: int | None) -> None:
    chosen = choose_labelling(method, allowance)
    if allowance is not None:
        assert chosen.queries_per_pair <= allowance
    least = 10 if method == "guided" else BoundaryDistance(exemplars=1).most_queries
    enough = allowance is None or allowance >= least
    wished = {
        "sd": SampleDistance,
        "bd": BoundaryDistance,
        "mbd": MinimalBoundaryDistance,
        "guided": GuidedDistance,
    }[method]
    assert isinstance(chosen.method, wished if enough else SampleDistance)


def _alexnet_teacher(images: Dataset) -> TorchTeacher:
    module = build("alexnet-quarter", (3, 32, 32), 10, seed=1).eval()
    *_, last = (part for part in module.modules() if isinstance(part, nn.Linear))
    # Untrained, it has a favourite class; without it, all classes show up.
    with torch.inference_mode():
        favour = module(images.images()).mean(0)
    with torch.no_grad():
        last.bias.sub_(favour)
    return TorchTeacher(module, input_shape=(3, 32, 32), num_classes=10)


@pytest.mark.parametrize(
    "method",
    [
        BoundaryDistance(exemplars=2),
        MinimalBoundaryDistance(BoundaryDistance(exemplars=1, tolerance=0.05), SignOptOptions(directions=10)),
    ],
    ids=["bd", "mbd"],
)
def test_the_alexnet_way_runs_on_files_in_cifar10s_binary_format(
    tmp_path: Path, method: BoundaryDistance | MinimalBoundaryDistance
) -> None:
    folder = write_cifar10_folder(tmp_path / "cifar", train=(9, 5), test=10)
    train, test = load(f"cifar10:{folder}"), load(f"cifar10:{folder}", "test")
    teacher = Counting(_alexnet_teacher(train))
    recipe = Recipe("adam", 5e-3, epochs=1, batch_size=7)
    story = Story(
        teacher=teacher,
        images=train,
        held_out=test,
        labelling=Labelling(method, 25),
        distillation=Distillation("alexnet-quarter", recipe, baselines=()),
    )
    with Run(tmp_path / "run") as run:
        report = tell(run, story)
        transfer = label(run, teacher, train, story.labelling, budget=Budget())
        statement = run.statement()
    assert transfer.images.image_shape == (3, 32, 32)
    assert torch.equal(transfer.decisions, teacher.teacher(train.images()))
    found = transfer.distances.isfinite()
    assert found.sum() >= 60
    pool = transfer.decisions.unique()
    # Where the teacher put some image into a class, there is a distance to it; elsewhere there is none, at no query.
    assert torch.equal(found.any(0).nonzero()[:, 0], pool)
    assert torch.equal(transfer.queries > 0, found)
    assert (transfer.distances[found] > 0).all()
    assert statement.total + statement.held_out["held-out"] == teacher.rows
    assert statement.held_out == {"held-out": 10}
    assert [figures.name for figures in report.students] == [method.name]
    for figures in report.students:
        assert figures.agreement is not None
        assert 0 <= figures.agreement <= 1
        assert figures.accuracy is not None
        assert figures.parameters == parameter_count(build("alexnet-quarter", (3, 32, 32), 10))


def test_many_images_are_enough_for_primers_and_a_budget_that_is_raised_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(distilling, "ENOUGH_FOR_PRIMERS", 30)
    teacher, images = Counting(Sectors()), draw_images(Sectors(), 40)
    few, primed = tmp_path / "few", tmp_path / "primed"
    for budget in (100, 1000):
        db3kd.distill(teacher, images, student=STUDENT, budget=budget, recipe=QUICK, run=few)
    assert teacher.rows == 40 + 16, "primers were bought after all"
    db3kd.distill(teacher, images, student=STUDENT, budget=120, recipe=QUICK, run=primed)
    assert teacher.rows == 40 + 16 + 120
    with Run(primed) as run:
        assert run.statement().by_stage == {"decisions": 40, "primer": 80}
