"""What all searches are measured on: one teacher, one pool of exemplars, the same pairs, one yardstick.

The teacher must be ours: the yardstick looks inside it (`whitebox`), and its bare speed is taken in turns with each
search (`speed`). Which searches are measured is decided in `search`.
"""

import dataclasses
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import nn

from benchmarks.search.figures import BareFigures, SearchBench, SearchFigures
from benchmarks.search.rivals import RivalSettings
from benchmarks.search.speed import Alternating, BareTeacher, Speed
from benchmarks.search.whitebox import decoupled_minimum
from db3kd.boundary import ExemplarPool, Goals, Guide, Interrogation, Method, Pairs, interrogate
from db3kd.data import Dataset
from db3kd.data.dataset import draw
from db3kd.errors import PlanError
from db3kd.ledger import Ledger
from db3kd.oracle import Oracle
from db3kd.teachers import TorchTeacher
from db3kd.tensors import Float, Tensor
from db3kd.training import Committee

_LEASE = 16384
_IMAGES_PER_STEP = 8192


@dataclass(frozen=True)
class BenchSettings:
    """What is measured.

    Args:
        pairs: pairs of an image and a class on which distances are compared.
        seed: of the draw of images and of the searches.
        exemplars: numbers of exemplars that BD is measured with.
        sign_opt_queries: query counts a pair at which MBD is measured; one run serves all.
        guided_queries: the same for the guided search, with a committee and without.
        committee: guides it; None leaves this out.
        speed_rows: rows that a measurement of BD's speed asks at least, on images besides those of the pairs.
        bare_seconds: time of one measurement of the bare teacher, in turns with a search.
        whitebox_steps: gradient steps of the yardstick.
        max_batch: rows a call to the teacher.
        device: where teacher and searches run.
        rivals: what is measured of public attacks; None where they are left out.

    Raises:
        PlanError: nothing to measure.
    """

    pairs: int = 360
    seed: int = 0
    exemplars: tuple[int, ...] = (1, 10, 50, 200)
    sign_opt_queries: tuple[int, ...] = (500, 1000, 2000, 4000)
    guided_queries: tuple[int, ...] = (25, 50, 100, 200, 500, 1000)
    committee: Committee | None = field(default_factory=lambda: Committee(members=4, mixtures_per_image=2.0))
    speed_rows: int = 100_000
    bare_seconds: float = 0.2
    whitebox_steps: int = 100
    max_batch: int = 96
    device: str = "cpu"
    rivals: RivalSettings | None = None

    def __post_init__(self) -> None:
        numbers = (self.pairs, self.whitebox_steps, self.max_batch, *self.exemplars, *self.sign_opt_queries)
        if min(numbers) < 1:
            raise PlanError(
                "a bench needs at least 1 pair, step, row a call, exemplar and query, "
                f"got {dataclasses.asdict(self)}; nothing was measured"
            )


@dataclass(frozen=True)
class Measured:
    """What a search bought, and how fast."""

    bought: Interrogation
    speed: Speed
    rows_per_call: float


class Bench:
    """Holds what all measurements share.

    Args:
        module: the teacher's network.
        images: pairs and exemplars are drawn from them.
        num_classes: number of its scores.
        settings: what to measure.
    """

    def __init__(self, module: nn.Module, images: Dataset, num_classes: int, settings: BenchSettings) -> None:
        self.images, self.num_classes, self.settings = images, num_classes, settings
        self.teacher = TorchTeacher(
            module,
            input_shape=images.image_shape,
            num_classes=num_classes,
            max_batch=settings.max_batch,
            device=settings.device,
        )
        self.few = -(-settings.pairs // (num_classes - 1))
        if len(images) < self.few:
            raise PlanError(
                f"{settings.pairs:,} pairs need {self.few:,} images, got {len(images):,}; nothing was measured"
            )
        oracle = self._oracle("pool")
        self.decisions = torch.cat(
            [oracle(images.images(rows)) for rows in torch.arange(len(images)).split(_IMAGES_PER_STEP)]
        )
        self._pool_queries = oracle.usage.rows
        self.pool = ExemplarPool(images, self.decisions, num_classes=num_classes)
        self.pairs = _first(self.pairs_of(self.few), settings.pairs)
        self._whitebox = decoupled_minimum(
            module, self.pairs, steps=settings.whitebox_steps, device=settings.device
        ).distances
        self._bare = BareTeacher(
            module,
            images.images(torch.arange(min(512, len(images)))),
            device=settings.device,
            round_seconds=settings.bare_seconds / 4,
        )
        self._speeds: list[float] = []

    def pairs_of(self, count: int) -> Pairs:
        """All pairs of so many drawn images, those of the comparison first."""
        first = draw(self.images.ids, self.few, seed=self.settings.seed)
        more = draw(self.images.ids, count, seed=self.settings.seed)
        rows = torch.cat([first, more[~torch.isin(more, first)]])
        drawn = self.images.subset(rows)
        device = self.settings.device
        return Pairs.every_other_class(
            drawn.images().to(device),
            drawn.ids,
            self.decisions[rows].to(device),
            num_classes=self.num_classes,
            seed=self.settings.seed,
        )

    def run(
        self,
        method: Method,
        pairs: Pairs,
        queries: int,
        *,
        snapshots: Sequence[int] = (),
        guide: Guide | None = None,
    ) -> Measured:
        """Let a method search, and the bare teacher decide in between."""
        oracle = self._oracle(method.name)
        seconds = self.settings.bare_seconds
        with Alternating(oracle, self._bare, bare_seconds=seconds, uncounted=_seconds_of(guide)) as asked:
            search = method.search(pairs, self.pool, oracle.spec, guide)
            bought = interrogate(asked, search, queries_per_pair=queries, snapshots=tuple(snapshots))
        self._speeds.append(asked.speed.bare_rows_per_second)
        return Measured(bought, asked.speed, oracle.usage.rows / max(1, oracle.usage.calls))

    def figures(
        self, name: str, setting: str, distances: Float[Tensor, " k"], queries: float, measured: Measured | None
    ) -> SearchFigures:
        """Hold distances of the first k pairs against the yardstick; speeds stand where they were measured."""
        distances = distances.cpu()
        # Rivals may have been measured on the first pairs only.
        whitebox = self._whitebox[: len(distances)]
        both = distances.isfinite() & whitebox.isfinite()
        found, least = distances[both], whitebox[both]
        known = len(found) > 0
        return SearchFigures(
            name=name,
            setting=setting,
            queries_per_pair=queries,
            ratio_to_whitebox_mean=float(found.mean() / least.mean()) if known else None,
            ratio_to_whitebox_median=_median(found) / _median(least) if known else None,
            not_found=int((~distances.isfinite()).sum()),
            below_whitebox=int((found < least).sum()),
            rows_per_second=None if measured is None else measured.speed.rows_per_second,
            rows_per_call=None if measured is None else measured.rows_per_call,
            bare_rows_per_second=None if measured is None else measured.speed.bare_rows_per_second,
            share_of_bare=None if measured is None else measured.speed.share_of_bare,
        )

    def summary(self, searches: tuple[SearchFigures, ...], teacher: str) -> SearchBench:
        """Put the figures together."""
        found = self._whitebox[self._whitebox.isfinite()]
        if not len(found):
            raise PlanError("the white-box search found no crossing at all; is this the network of these images?")
        return SearchBench(
            teacher=teacher,
            images=self.images.name,
            pairs=len(self.pairs),
            seed=self.settings.seed,
            device=self.settings.device,
            threads=torch.get_num_threads(),
            bare_rows_per_second=statistics.median(self._speeds),
            bare=BareFigures(self._bare.batch, self._bare.memory_layout),
            whitebox_mean=float(found.mean()),
            whitebox_median=_median(found),
            whitebox_not_found=len(self._whitebox) - len(found),
            pool_queries=self._pool_queries,
            searches=searches,
        )

    def _oracle(self, stage: str) -> Oracle:
        # A ledger in memory, leased as the pipeline leases: the checks and the charging are in what is measured.
        return Oracle(self.teacher, Ledger(None).account(stage, block=_LEASE))


def _seconds_of(guide: Guide | None) -> Callable[[], float]:
    return lambda: 0.0 if guide is None else guide.seconds


def _first(pairs: Pairs, count: int) -> Pairs:
    goals = Goals(pairs.goals.classes[:count], pairs.goals.reaching[:count])
    return Pairs(pairs.images, pairs.image_of[:count], goals, pairs.keys[:count])


def _median(values: Float[Tensor, " k"]) -> float:
    # torch's own median of an even count is the lower of the two in the middle.
    return float(torch.quantile(values, 0.5))
