"""How many rows a second replicas of a slow teacher answer, what Ray costs a fast one, and what cores bring.

The slow teacher sleeps 50 ms for each batch of 32, so that its replicas need no cores. `python -m benchmarks.scale` has
the options; it needs `pip install 'db3kd[ray]'`.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Annotated

import numpy as np
import numpy.typing as npt
import torch
import typer

from benchmarks import command
from db3kd.boundary import ExemplarPool, GuidedDistance, Measurement
from db3kd.boundary.distances import measure_shard
from db3kd.context import count_cores
from db3kd.data import Dataset, from_arrays, load
from db3kd.data.dataset import in_unit
from db3kd.errors import InputError
from db3kd.ledger import Ledger
from db3kd.models import build
from db3kd.oracle import Oracle
from db3kd.scaling import Cluster, Job, Replicas, replicated, train_side_by_side
from db3kd.teachers import FunctionTeacher, Teacher, TorchTeacher
from db3kd.tensors import Float, Tensor
from db3kd.training import Material, Objective
from db3kd.training.committee import POOL_RECIPE

_SHAPE, _CLASSES, _BATCH, _SECONDS = (1, 16, 16), 4, 32, 0.05
# As many images as a run measures at once.
_SEARCHED, _QUERIES_PER_PAIR = 512, 25
_TIMES = 5
_LEARNED, _EPOCHS = 20_000, 4
# A cluster does not look at how busy a core is, so that a teacher that sleeps takes nearly none.
_CPUS = 0.01


@dataclass(frozen=True)
class ScaleFigure:
    """So many replicas of the slow teacher.

    Args:
        replicas: 0 for the teacher in this process.
        deciding: rows a second where a pool is decided.
        searching: rows a second of a guided search.
    """

    replicas: int
    deciding: float
    searching: float


@dataclass(frozen=True)
class Scale:
    """What was measured.

    Args:
        ideal: rows a second of one slow teacher that nobody hinders.
        figures: by the number of replicas.
        fast_in_process: rows a second of a LeNet5 in this process, on one thread; the median of several passes.
        fast_replica: of one replica of it, with a core; its passes take turns with those.
        one_after_another: seconds in which as many networks as this machine has cores learn, each with one thread.
        side_by_side: seconds in which they do at the same time.
    """

    ideal: float
    figures: tuple[ScaleFigure, ...]
    fast_in_process: float
    fast_replica: float
    one_after_another: float
    side_by_side: float


def slow_teacher() -> Teacher:
    """Open the slow teacher: four classes by where an image is bright."""
    return FunctionTeacher(_decide, input_shape=_SHAPE, num_classes=_CLASSES, max_batch=_BATCH, fingerprint="slow-1")


def fast_teacher() -> Teacher:
    """Open the fast teacher, a LeNet5 that learned nothing."""
    return TorchTeacher(build("lenet5", (1, 28, 28), 10, seed=0), input_shape=(1, 28, 28), num_classes=10)


def _decide(images: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
    time.sleep(_SECONDS)
    half = _SHAPE[1] // 2
    quarters = images.reshape(len(images), 2, half, 2, half).mean(axis=(2, 4))
    decided: npt.NDArray[np.int64] = quarters.reshape(len(images), _CLASSES).argmax(axis=1)
    return decided


def measure_scale(replicas: Sequence[int], *, rows_each: int, fast_rows: int) -> Scale:
    """Measure how the rate grows with the replicas.

    Args:
        replicas: how many; each is measured by itself.
        rows_each: rows that each replica answers.
        fast_rows: rows that the fast teacher is asked.

    Returns:
        The figures.
    """
    figures = [_figure(0, slow_teacher(), rows_each)]
    for number in replicas:
        with replicated(Cluster(replicas=number, cpus=_CPUS, opening=slow_teacher), slow_teacher()) as teacher:
            _await(teacher, number)
            figures.append(_figure(number, teacher, rows_each * number))
    images = _noise(fast_rows, (1, 28, 28))
    with ExitStack() as stack:
        threads = torch.get_num_threads()
        stack.callback(torch.set_num_threads, threads)
        torch.set_num_threads(1)
        one = Cluster(replicas=1, cpus=1.0, opening=fast_teacher)
        here = fast_teacher()
        replica = stack.enter_context(replicated(one, here))
        _await(replica, 1)
        rates = [[_rate(teacher, lambda oracle: oracle(images)) for teacher in (here, replica)] for _ in range(_TIMES)]
        alone, spread = map(median, zip(*rates, strict=True))
    cores = count_cores()
    return Scale(
        _BATCH / _SECONDS, tuple(figures), alone, spread, _seconds_to_learn(1, cores), _seconds_to_learn(cores, cores)
    )


def _await(teacher: Teacher, number: int) -> None:
    """Wait until all replicas are there: each imports torch, which takes seconds of a core."""
    assert isinstance(teacher, Replicas), "there are replicas"
    while teacher.idle < number:
        time.sleep(_SECONDS)


def _seconds_to_learn(at_once: int, networks: int) -> float:
    images = load("mnist-5k")
    material = Material(images.pixels, Objective(labels=images.labels), _LEARNED)
    jobs = [Job("lenet5", 10, seed) for seed in range(networks)]
    started = time.perf_counter()
    lesson = (material, replace(POOL_RECIPE, epochs=_EPOCHS))
    for _ in train_side_by_side(jobs, [lesson] * networks, cores=at_once, hear=lambda *_: None):
        pass
    return time.perf_counter() - started


def _figure(number: int, teacher: Teacher, rows: int) -> ScaleFigure:
    images = _noise(max(rows, _SEARCHED), _SHAPE)
    deciding = _rate(teacher, lambda oracle: oracle(images[:rows]))
    some = from_arrays(images[:_SEARCHED])
    return ScaleFigure(number, deciding, _rate(teacher, partial(_search, some)))


def _noise(rows: int, shape: tuple[int, int, int]) -> Float[Tensor, "n c h w"]:
    """Draw images of 8 bits, as a pool has them."""
    return in_unit(torch.randint(0, 256, (rows, *shape), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)))


def _search(images: Dataset, oracle: Oracle) -> None:
    decisions = oracle(images.images())
    exemplars = ExemplarPool(images, decisions, num_classes=_CLASSES)
    measure_shard(oracle, images, decisions, exemplars, Measurement(GuidedDistance(), _QUERIES_PER_PAIR))


def _rate(teacher: Teacher, ask: Callable[[Oracle], object]) -> float:
    """Rows a second, after a first row that is not timed."""
    with Ledger(None) as ledger, ledger.account("speed", block=2**20, held_out=True) as account:
        oracle = Oracle(teacher, account)
        oracle(torch.rand(2, *teacher.spec.input_shape, generator=torch.Generator().manual_seed(2)))
        before, started = account.spent, time.perf_counter()
        ask(oracle)
        return (account.spent - before) / (time.perf_counter() - started)


def scale(
    *,
    replicas: Annotated[str, typer.Option(help="Numbers of replicas.")] = "1,2,4,8,16,32",
    rows_each: Annotated[int, typer.Option(min=1, help="Rows for each replica.")] = 3200,
    fast_rows: Annotated[int, typer.Option(min=1, help="Rows for the fast teacher.")] = 60_000,
    file: Annotated[Path | None, typer.Option("--json", help="Write all figures to this file.")] = None,
) -> None:
    """Measure how the rate of a slow teacher grows with its replicas, and what Ray costs a fast one."""
    command.check_file(file)
    try:
        numbers = [int(number) for number in command.listed(replicas)]
    except ValueError as error:
        raise InputError(f"replicas must be whole numbers, got {replicas!r}; nothing was measured: mend it") from error
    found = measure_scale(numbers, rows_each=rows_each, fast_rows=fast_rows)
    command.write(file, asdict(found))
    rows = [
        {
            "replicas": str(one.replicas) if one.replicas else "in this process",
            "deciding, rows/s": f"{one.deciding:,.0f}",
            "of linear": command.percent(one.deciding / (found.ideal * max(1, one.replicas))),
            "guided search, rows/s": f"{one.searching:,.0f}",
            "of linear ": command.percent(one.searching / (found.ideal * max(1, one.replicas))),
        }
        for one in found.figures
    ]
    command.print_table(f"a teacher that takes {1000 * _SECONDS:.0f} ms for {_BATCH} rows", rows)
    command.print_figures(
        {
            "a LeNet5 in this process": f"{found.fast_in_process:,.0f} rows/s",
            "one replica of it": f"{found.fast_replica:,.0f} rows/s",
            "networks learn one after another": f"{found.one_after_another:,.0f} s",
            "side by side": f"{found.side_by_side:,.0f} s",
        }
    )


if __name__ == "__main__":
    command.run(scale, "scale")
