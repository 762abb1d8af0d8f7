"""How time and memory grow with a pool on disk: opening it, choosing among it, and scoring it.

    python -m benchmarks.large_pool --counts 100000,1000000 --json large-pool.json

The images are made up, 28x28 and gray, in a numpy file that is deleted at the end. Networks are untrained: what they
say does not matter here, and how long they learn does not depend on the pool from 60,000 images on.
"""

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, TypeVar

import numpy as np
import torch
import typer
from torch import nn

from benchmarks import command
from benchmarks.images import Memory, watched
from db3kd.acquisition import Choosers, Margin, Rounds, propose
from db3kd.answers import Answers, no_answers
from db3kd.context import HERE
from db3kd.data import Dataset, load
from db3kd.errors import InputError
from db3kd.models import build
from db3kd.pipeline.asking import answered
from db3kd.pipeline.bought import Bought
from db3kd.pipeline.opinions import WholePool
from db3kd.pipeline.story import CommitteeLesson
from db3kd.pipeline.teach import taught
from db3kd.pools import ImagePool
from db3kd.training import Recipe
from db3kd.training.committee import pool_lesson
from db3kd.training.orders import order_of

T = TypeVar("T")

_SHAPE, _CLASSES = (1, 28, 28), 10
_ROWS = 100_000
_ASKED, _CHOOSERS, _MEMBERS, _STUDENT = 300, 2, 4, "lenet5-half"
# Of the pool in an epoch of a member.
_SEEN = 1_500_000 // 30


@dataclass(frozen=True)
class LargePool:
    """What a pool of one size took.

    Args:
        count: images.
        taught: of them are taught to a student.
        seconds: of each step, by its name.
        memory: the most that this process took in each step.
        memory_before: what it took before it opened the pool, in MiB.
        scored_per_second: passes of a network, where the committee's opinions are worked out.
    """

    count: int
    taught: int
    seconds: dict[str, float]
    memory: dict[str, Memory]
    memory_before: Memory
    scored_per_second: float


def write_pool(file: Path, count: int) -> None:
    """Write so many smooth gray images, each another one."""
    images = np.lib.format.open_memmap(file, "w+", np.uint8, (count, *_SHAPE))
    generator = torch.Generator().manual_seed(0)
    for start in range(0, count, _ROWS):
        coarse = torch.rand(min(_ROWS, count - start), 1, 7, 7, generator=generator)
        fine = nn.functional.interpolate(coarse, _SHAPE[1:], mode="bilinear")
        images[start : start + len(coarse)] = (fine * 255).to(torch.uint8).numpy()


def measure_pool(file: Path) -> LargePool:
    """Open a pool, choose among its images as a round does, and hear what a committee thinks of those to be taught."""
    before, seconds, memory = Memory(), dict[str, float](), dict[str, Memory]()
    before.look()

    def measured(name: str, step: Callable[[], T]) -> T:
        with watched() as taken:
            started = time.perf_counter()
            done = step()
            seconds[name] = time.perf_counter() - started
        memory[name] = taken
        command.remark(f"{name}: {seconds[name]:,.1f} s, {taken.own:,.0f} MiB")
        return done

    pool = measured("open", lambda: load(str(file)))
    measured("digest", lambda: pool.digest)
    members = [build("lenet5", _SHAPE, _CLASSES, seed=seed) for seed in range(_MEMBERS)]
    answers = measured("first questions", lambda: _answers(pool))
    measured("order of an epoch", lambda: _order(pool, answers))
    measured("choice of a round", lambda: _chosen(pool, answers, members[:_CHOOSERS]))
    bought = Bought(answers, answers.take(torch.arange(0)), tuple(members))
    recipe, most = Recipe("adam", 1e-3, 1, 128), taught(_STUDENT, pool)
    measured("opinions", lambda: WholePool(CommitteeLesson(), bought, pool, recipe, HERE, most).material(0))
    rate = _MEMBERS * most / seconds["opinions"]
    return LargePool(len(pool), most, seconds, memory, before, rate)


def _order(pool: Dataset, answers: Answers) -> int:
    unasked = pool_lesson(answers, pool, for_each=3, images_per_epoch=_SEEN).unasked
    assert unasked is not None, "some were not asked about"
    return len(order_of(len(unasked.rows), _SEEN, 0, 0))


def _answers(pool: Dataset) -> Answers:
    """Some images with decisions that mean nothing."""
    none = no_answers(_SHAPE, _CLASSES)
    drawn = ImagePool(pool).draw(_ASKED, none, torch.Generator().manual_seed(0))
    return answered(drawn, torch.arange(len(drawn)) % _CLASSES, none, torch.arange(len(drawn)) % 10 == 0)


def _chosen(pool: Dataset, answers: Answers, members: Sequence[nn.Module]) -> int:
    generator = torch.Generator().manual_seed(1)
    rounds, choosers = Rounds.of_pool(), Choosers(members)
    return len(
        propose(ImagePool(pool), answers, choosers, _ASKED, rounds=rounds, acquisition=Margin(), generator=generator)
    )


def large_pool(
    *,
    counts: Annotated[str, typer.Option(help="Images of each pool.")] = "100000,1000000",
    folder: Annotated[Path | None, typer.Option(help="Where the pool lies meanwhile.")] = None,
    json: Annotated[Path | None, typer.Option(help="File that the figures are written to.")] = None,
) -> None:
    """Measure how time and memory grow with a pool on disk; largest last, since memory is not given back."""
    command.check_file(json)
    asked, table = command.listed(counts), []
    if not asked or not all(count.isdigit() and int(count) > _ASKED for count in asked):
        raise InputError(f"expected sizes above {_ASKED} such as 100000,1000000, got {counts!r}; nothing was measured")
    with tempfile.TemporaryDirectory(prefix="db3kd-pool-", dir=folder) as place:
        for count in sorted(map(int, asked)):
            file = Path(place) / "pool.npy"
            write_pool(file, count)
            table.append(measure_pool(file))
    command.write(json, [asdict(row) for row in table])
    command.print_table("pools on disk", [line for row in table for line in _rows(row)])


def _rows(found: LargePool) -> Iterator[dict[str, str]]:
    for name, seconds in found.seconds.items():
        taken = found.memory[name]
        yield {
            "images": f"{found.count:,}",
            "step": name,
            "seconds": f"{seconds:,.1f}",
            "memory": f"{taken.own:,.0f} MiB",
            "files": f"{taken.files:,.0f} MiB",
        }


if __name__ == "__main__":
    command.run(large_pool, "large_pool")
