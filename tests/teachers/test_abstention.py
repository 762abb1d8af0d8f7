"""An answer that is no class is never a target, never learned from, and never stops a run."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch

from command_line import Caller
from db3kd.boundary.methods import Method
from db3kd.data import Dataset, from_arrays
from db3kd.errors import InvalidDecision, PlanError, TeacherError
from db3kd.execution import Labelling
from db3kd.ledger import Ledger
from db3kd.oracle import Oracle
from db3kd.pipeline import Budget, Priming
from db3kd.pipeline.labelling import kept_probes, label
from db3kd.runs import Run
from db3kd.teachers import AbstainingTeacher, FunctionTeacher, Teacher
from known_teachers import Sectors
from questions import METHODS

SHAPE = (1, 16, 16)
KNOWN = Sectors(SHAPE, classes=4)


def _unsure(images: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
    """Ten says nothing: where the picture is bright on the left."""
    decisions = KNOWN(torch.from_numpy(images)).numpy()
    answers: npt.NDArray[np.int64] = np.where(images[..., :8].mean((1, 2, 3)) > 0.5, 10, decisions)
    return answers


def _teacher() -> Teacher:
    inside = FunctionTeacher(_unsure, input_shape=SHAPE, num_classes=4, max_batch=64)
    return AbstainingTeacher(inside, (10, -1))


def _images(count: int = 24) -> Dataset:
    return from_arrays(torch.rand(count, *SHAPE, generator=torch.Generator().manual_seed(0)))


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_every_search_goes_its_way_around_what_is_no_class(tmp_path: Path, method: Method) -> None:
    images, teacher = _images(), _teacher()
    declined = int((teacher(images.images()) == 4).sum())
    assert 0 < declined < len(images)
    labelling = Labelling(method, 40, keep_probes=30)
    priming = Priming(architecture="made_networks:two_layers", networks=1) if method.name == "guided" else None
    with Run(tmp_path) as run:
        transfer = label(run, teacher, images, labelling, budget=Budget(), priming=priming)
        again = label(run, teacher, images, labelling, budget=Budget(), priming=priming)
        probes = kept_probes(run)
    assert len(transfer) == len(again) == len(images) - declined
    assert transfer.distances.shape == (len(transfer), 4)
    assert int(transfer.decisions.max()) < 4
    assert torch.equal(transfer.decisions, KNOWN(transfer.images.images()))
    assert probes is None or not len(probes.decisions) or int(probes.decisions.max()) < 4


def test_only_what_was_declared_is_let_through() -> None:
    images = _images().images()
    undeclared = AbstainingTeacher(FunctionTeacher(_unsure, input_shape=SHAPE, num_classes=4), (11,))
    with Ledger(None) as ledger, ledger.account("label") as account:
        with pytest.raises(InvalidDecision, match="got 10"):
            Oracle(undeclared, account)(images)
        decisions = Oracle(_teacher(), account)(images)
    assert torch.equal(decisions == 4, torch.from_numpy(_unsure(images.numpy())) == 10)
    assert _teacher().spec.fingerprint != undeclared.spec.fingerprint


@pytest.mark.parametrize("abstentions", [(), (0,), (3, 10)])
def test_a_class_is_no_abstention(abstentions: tuple[int, ...]) -> None:
    with pytest.raises(PlanError, match="num_classes"):
        AbstainingTeacher(KNOWN, abstentions)


def test_a_teacher_that_decides_nothing_ends_the_run_with_its_answers_kept(tmp_path: Path) -> None:
    silent = AbstainingTeacher(
        FunctionTeacher(lambda images: np.full(len(images), -1), input_shape=SHAPE, num_classes=4), (-1,)
    )
    with Run(tmp_path) as run, pytest.raises(TeacherError, match="abstentions"):
        label(run, silent, _images(), Labelling(METHODS["sd"], 0), budget=Budget())


def test_the_whole_way_from_the_command_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    call, images = Caller(capsys), _images().images().numpy()
    labels = KNOWN(torch.from_numpy(images)).numpy()
    source = tmp_path / "images.npz"
    np.savez(source, images=images, labels=labels, images_test=images[:10], labels_test=labels[:10])
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    teacher = "python:test_abstention:_unsure?input_shape=1,16,16&num_classes=4&abstentions=10"
    call("label", "--teacher", teacher, "--images", f"npz:{source}", "--method", "bd", "--run", tmp_path / "run")
    call("distill", "--run", tmp_path / "run", "--student", "lenet5-fifth", "--epochs", 2)
    report = call("evaluate", "--run", tmp_path / "run", "--held-out", f"npz:{source}", "--json").figures
    assert {student["name"] for student in report["students"]} == {"true-labels", "hard-decisions", "bd"}
    status = call("status", tmp_path / "run", "--json").figures
    assert {stage["state"] for stage in status["stages"]} == {"done"}
