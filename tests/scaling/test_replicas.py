"""Replicas decide as one teacher does; what a lost one was asked is charged again, and nothing is lost."""

import gc
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import db3kd
from db3kd.context import silent
from db3kd.errors import InputError, MaybeServed, NotServed, PlanError, TeacherError
from db3kd.ledger import Ledger
from db3kd.oracle import Oracle
from db3kd.scaling import Cluster, Replicas, replicated
from db3kd.scaling.replicas import _Replica
from db3kd.teachers import FunctionTeacher, Teacher
from db3kd.tensors import Float, Int, Tensor
from db3kd.training import Recipe
from known_teachers import Failing, Sectors, draw_images

pytest.importorskip("ray")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::ResourceWarning")]

CLUSTER = Cluster(replicas=2, cpus=0.1)
SECTORS = Sectors((1, 16, 16))
IMAGES = draw_images(SECTORS, 1000)


class Dying:
    """Ends its process at the first call that finds no mark on the disk; as large as a network is."""

    def __init__(self, mark: Path) -> None:
        self.spec, self._teacher, self._mark = SECTORS.spec, SECTORS, mark
        self.ballast = torch.rand(500_000)

    def __call__(self, images: Float[Tensor, "b c h w"]) -> Int[Tensor, " b"]:
        if not self._mark.exists():
            self._mark.touch()
            os._exit(1)
        return self._teacher(images)


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[None]:
    """One cluster for all tests: to start it takes seconds."""
    import ray

    with pytest.MonkeyPatch.context() as patched:
        # Replicas are processes of their own, and find the teachers of the tests by it.
        patched.setenv("PYTHONPATH", str(Path(__file__).parents[1]))
        ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="error")
        yield
        ray.shutdown()


def _ask(teacher: Teacher) -> tuple[Tensor, int, Oracle]:
    with Ledger(None) as ledger, ledger.account("answers") as account:
        oracle = Oracle(teacher, account)
        return oracle(IMAGES), account.spent, oracle


def test_replicas_decide_as_one_teacher_does() -> None:
    with replicated(CLUSTER, SECTORS) as replicas:
        assert replicas.spec.service.in_flight == 2
        assert replicas.spec.service.seconds_of_a_call > 0
        decisions, spent, _ = _ask(replicas)
    assert torch.equal(decisions, SECTORS(IMAGES))
    assert spent == len(IMAGES)


def test_the_only_replica_comes_back_and_the_batch_that_it_lost_is_charged_again(tmp_path: Path) -> None:
    with replicated(replace(CLUSTER, replicas=1), Dying(tmp_path / "died")) as replicas:
        # What the replica was made of must still be there.
        gc.collect()
        decisions, spent, oracle = _ask(replicas)
    assert torch.equal(decisions, SECTORS(IMAGES))
    # The very first row goes alone, and is what was lost.
    assert oracle.usage.repeated == 1
    assert spent == len(IMAGES) + 1


def test_what_the_teacher_raises_is_raised_here() -> None:
    with (
        replicated(CLUSTER, Failing(SECTORS, 1, lambda: ValueError("no power"))) as replicas,
        pytest.raises(TeacherError, match="no power"),
    ):
        _ask(replicas)


def test_a_call_of_which_a_part_was_served_may_have_been_served() -> None:
    for number, error in ((1, NotServed), (3, MaybeServed)):
        busy = Failing(SECTORS, number, lambda: NotServed("busy"))
        busy.spec = replace(SECTORS.spec, max_batch=100)
        replica = _Replica(lambda: busy, 1.0)  # noqa: B023  # called at once
        with pytest.raises(error, match="busy"):
            replica.decide(IMAGES[:500].numpy())
        assert torch.equal(torch.from_numpy(replica.decide(IMAGES[:500].numpy())), SECTORS(IMAGES[:500]))


def test_another_teacher_in_a_replica_is_refused() -> None:
    other = Cluster(replicas=1, cpus=0.1, opening=lambda: Sectors((1, 16, 16), classes=4))
    with pytest.raises(PlanError, match="same file on all machines"), replicated(other, SECTORS):
        pass


def test_a_cluster_without_room_is_told() -> None:
    crowded = Cluster(replicas=1, cpus=64.0, patience=2.0)
    with pytest.raises(TeacherError, match="64 free CPUs"), replicated(crowded, SECTORS):
        pass


def test_replicas_without_room_are_told_and_their_absence_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    def slowly(images: Float[np.ndarray, "b c h w"]) -> Int[np.ndarray, " b"]:
        time.sleep(0.3)
        return SECTORS(torch.from_numpy(images)).numpy()

    shape, classes = SECTORS.spec.input_shape, SECTORS.spec.num_classes
    slow = FunctionTeacher(slowly, input_shape=shape, num_classes=classes, max_batch=100, fingerprint="slow")
    with replicated(Cluster(replicas=6, cpus=1.0, patience=60.0), slow) as replicas:
        assert "cores for 2 of 6 replicas" in caplog.text
        # Two have room; the calls of the others wait for longer than this while these two work.
        replicas._patience = 0.1  # type: ignore[attr-defined]  # of `Replicas`
        decisions, _, _ = _ask(replicas)
    assert torch.equal(decisions, SECTORS(IMAGES))


def test_a_service_is_not_replicated() -> None:
    with replicated(CLUSTER, SECTORS) as replicas:
        assert isinstance(replicas, Replicas)
        with pytest.raises(InputError, match="in_flight"), replicated(CLUSTER, replicas):
            pass


def test_a_run_goes_on_without_its_cluster_to_the_byte(tmp_path: Path) -> None:
    failing = replace(CLUSTER, opening=lambda: Failing(SECTORS, 3, lambda: ValueError("no power")))
    with pytest.raises(TeacherError, match="no power"):
        _distill(tmp_path / "cluster", failing)
    went_on, alone = _distill(tmp_path / "cluster", None), _distill(tmp_path / "alone", None)
    assert torch.equal(went_on.answers.decisions, alone.answers.decisions)
    states = [one.student.state_dict() for one in (went_on, alone)]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[1])
    # A call that failed, and the one that was under way beside it.
    assert alone.spent < went_on.spent <= alone.spent + 2 * 128


def test_a_run_on_a_cluster_is_that_of_one_process_to_the_byte(tmp_path: Path) -> None:
    spread, alone = _distill(tmp_path / "cluster", CLUSTER), _distill(tmp_path / "alone", None)
    files = [
        {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.safetensors")}
        for folder in (tmp_path / "cluster", tmp_path / "alone")
    ]
    assert files[0] == files[1]
    assert files[0]
    assert spread.spent == alone.spent


def _distill(run: Path, cluster: Cluster | None) -> db3kd.Result:
    return db3kd.distill(
        SECTORS,
        (IMAGES * 255).to(torch.uint8),
        student="lenet5-fifth",
        softening="smoothed",
        acquisition="random",
        recipe=Recipe("adam", 1e-3, 1, 100),
        run=run,
        cluster=cluster,
        progress=silent,
    )
