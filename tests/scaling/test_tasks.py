"""Networks that learn on a Ray cluster are byte for byte those that learn here, also where a task or a node is lost."""

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Timer
from typing import Any

import pytest
import torch
from torch import nn

import db3kd
from db3kd.errors import Db3kdError, PlanError
from db3kd.models import build
from db3kd.scaling import Cluster, Job, train_as_tasks, train_side_by_side
from db3kd.tensors import Float, Int, Tensor
from db3kd.training import Committee, Epoch, Material, Objective, Recipe, TrainingState
from known_teachers import Sectors, draw_images
from made_jobs import JOBS, MATERIAL, PIXELS, SHAPE

pytest.importorskip("ray")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::ResourceWarning", "ignore::DeprecationWarning"),
]

SECTORS = Sectors(SHAPE)
RECIPE = Recipe("adam", 1e-3, 4, 16, schedule="one-cycle")
IMAGES = (draw_images(SECTORS, 400) * 255).to(torch.uint8)


def dying(input_shape: tuple[int, int, int], num_classes: int) -> nn.Module:
    """Build a network, or end the process: as often as the file has characters."""
    mark = Path(os.environ["DYING_MARK"])
    left = mark.read_text()
    if left:
        mark.write_text(left[1:])
        os._exit(1)
    return build("lenet5-fifth", input_shape, num_classes)


class Slow:
    """A teacher that takes its time."""

    def __init__(self) -> None:
        self.spec = SECTORS.spec

    def __call__(self, images: Float[Tensor, "b c h w"]) -> Int[Tensor, " b"]:
        time.sleep(0.2)
        return SECTORS(images)


@pytest.fixture(scope="module")
def mark(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("dying") / "mark"


@pytest.fixture(scope="module", autouse=True)
def second(mark: Path) -> Iterator[list[Any]]:
    """Two nodes on this machine, of which a test may take the second one away."""
    import ray
    from ray.cluster_utils import Cluster as Nodes

    with pytest.MonkeyPatch.context() as patched:
        # Tasks take the path of the driver with them; replicas, which open a teacher of the user's, do not.
        patched.syspath_prepend(Path(__file__).parent)
        patched.setenv("PYTHONPATH", os.pathsep.join(map(str, (Path(__file__).parents[1], Path(__file__).parent))))
        patched.setenv("DYING_MARK", str(mark))
        nodes = Nodes(initialize_head=True, head_node_args={"num_cpus": 1})
        ray.init(address=nodes.address, namespace="db3kd", log_to_driver=False, logging_level="error")
        yield [nodes]
        ray.shutdown()
        nodes.shutdown()


def _same(one: nn.Module, other: nn.Module) -> bool:
    return all(torch.equal(value, other.state_dict()[name]) for name, value in one.state_dict().items())


def test_on_a_cluster_is_side_by_side_to_the_byte() -> None:
    heard: list[tuple[int, int]] = []

    def hear(number: int, epoch: Epoch, state: TrainingState | None) -> None:
        heard.append((number, epoch.number))

    here = list(train_side_by_side(JOBS, [(MATERIAL, RECIPE)] * 2, cores=2, hear=lambda *_: None))
    there = train_as_tasks(JOBS, MATERIAL, RECIPE, hear=hear)
    assert sorted(heard) == [(number, epoch) for number in (0, 1) for epoch in (1, 2, 3, 4)]
    assert all(_same(one, other) for one, (other, _) in zip(here, there, strict=True))
    # In two pieces, as a student learns from what is exchanged.
    ((_, half),) = train_as_tasks(JOBS[:1], MATERIAL, RECIPE, hear=hear, until=2)
    ((whole, _),) = train_as_tasks([replace(JOBS[0], state=half)], MATERIAL, RECIPE, hear=hear)
    assert _same(here[0], whole)


def test_what_a_training_refuses_is_raised_here() -> None:
    wrong = Material(PIXELS, Objective(labels=torch.arange(60)))
    with pytest.raises(PlanError, match="labels from 0 to 59"):
        train_as_tasks(JOBS, wrong, RECIPE, hear=lambda *_: None)


def test_a_task_that_is_lost_is_begun_again(mark: Path) -> None:
    job = Job("test_tasks:dying", 3, 5)
    mark.write_text("")
    ((alone, _),) = train_as_tasks([job], MATERIAL, RECIPE, hear=lambda *_: None)
    mark.write_text("xx")
    ((again, _),) = train_as_tasks([job], MATERIAL, RECIPE, hear=lambda *_: None)
    assert not mark.read_text()
    assert _same(alone, again)


def test_a_task_that_is_lost_again_and_again_ends_the_training(mark: Path) -> None:
    mark.write_text("x" * 10)
    with pytest.raises(Db3kdError, match="lost 4 times in a row"):
        train_as_tasks([Job("test_tasks:dying", 3, 5)], MATERIAL, RECIPE, hear=lambda *_: None)


@pytest.mark.parametrize("stage", ["distances", "committee/00000"])
def test_a_node_that_is_taken_away_loses_nothing(
    tmp_path: Path, second: list[Any], stage: str, caplog: pytest.LogCaptureFixture
) -> None:
    (nodes,) = second
    node = nodes.add_node(num_cpus=1)
    nodes.wait_for_nodes()
    gone: list[str] = []

    def hear(heard: str, done: int, total: int, unit: str) -> None:
        if heard == stage and done < total and (done or stage == "distances") and not gone:
            gone.append(heard)
            # A search is heard of when it begins; it takes longer than this.
            Timer(1.0 if stage == "distances" else 0.0, nodes.remove_node, (node,), {"allow_graceful": False}).start()

    spread = _distill(tmp_path / "cluster", Cluster(replicas=2, cpus=0.9, patience=200.0), hear, stage)
    assert gone
    alone = _distill(tmp_path / "alone", None, lambda *_: None, stage)
    files = [
        {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.safetensors")}
        for folder in (tmp_path / "cluster", tmp_path / "alone")
    ]
    assert files[0] == files[1]
    assert any(stage in str(name) for name in files[0])
    # Asked again is what the lost replica held, nothing where it was idle; while networks learn, nobody asks.
    again = spread.spent - alone.spent
    assert (0 <= again <= SECTORS.spec.max_batch) if stage == "distances" else again == 0
    assert (f"{again} rows were charged again" in caplog.text) == bool(again)


def _distill(run: Path, cluster: Cluster | None, hear: Any, stage: str) -> db3kd.Result:
    searched = stage == "distances"
    return db3kd.distill(
        Slow(),
        IMAGES[:40] if searched else IMAGES,
        student="lenet5-fifth",
        # None of them is asked twice: a replica that went while networks learned would be noticed by it.
        budget=None if searched else len(IMAGES),
        search="bd" if searched else None,
        acquisition="random",
        committee=Committee("lenet5-fifth", members=0 if searched else 2, seen=24_000),
        recipe=Recipe("adam", 1e-3, 1, 100),
        run=run,
        cluster=cluster,
        progress=hear,
    )
