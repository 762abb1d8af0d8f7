"""How near the searches come to the white-box minimum, for how many queries, and how fast.

Each search is measured on the same pairs of an image and a class. The teacher must be ours: the yardstick looks
inside it (`whitebox.py`), and its bare speed is taken beside each search (`speed.py`). Called by `db3kd bench search`.
"""

import dataclasses
import logging
import math
import statistics
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from tempfile import TemporaryDirectory
from typing import get_args

import torch
from torch import nn

from db3kd.bench.figures import BareFigures, SearchBench, SearchFigures
from db3kd.bench.rivals import RivalSettings, measure_rivals
from db3kd.bench.speed import Alternating, BareTeacher, Speed
from db3kd.bench.whitebox import decoupled_minimum
from db3kd.boundary import ExemplarPool, Goals, Guide, Interrogation, Pairs, interrogate
from db3kd.boundary.methods import (
    BoundaryDistance,
    ExemplarOrder,
    GuidedDistance,
    Method,
    MinimalBoundaryDistance,
    SampleDistance,
)
from db3kd.data import Dataset
from db3kd.data.dataset import draw
from db3kd.errors import PlanError
from db3kd.ledger import Ledger
from db3kd.oracle import Oracle
from db3kd.pipeline import Budget, Priming
from db3kd.pipeline.priming import prime
from db3kd.runs import Run
from db3kd.teachers import TorchTeacher
from db3kd.tensors import Float, Tensor

_log = logging.getLogger(__name__)

_LEASE = 16384
_IMAGES_PER_STEP = 8192
# What a bisection asks, for sizing a measurement: about 11 for the first exemplar and 2 for each further one.
_FIRST_COST, _FURTHER_COST = 11.0, 2.0


@dataclass(frozen=True)
class BenchSettings:
    """What is measured.

    Args:
        pairs: pairs of an image and a class on which distances are compared.
        seed: of the draw of images and of the searches.
        exemplars: numbers of exemplars that BD is measured with.
        sign_opt_queries: query counts a pair at which MBD is measured; one run serves all.
        guided_queries: the same for the guided search, with primers and without.
        priming: where its primers come from.
        speed_rows: rows that a measurement of BD's speed asks at least, on images besides those of the pairs.
        bare_seconds: time of one measurement of the bare teacher beside a search.
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
    priming: Priming = field(default_factory=Priming)
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


def measure_searches(
    module: nn.Module,
    images: Dataset,
    *,
    teacher: str,
    num_classes: int,
    settings: BenchSettings | None = None,
    run: Run | None = None,
    on_search: Callable[[SearchFigures], None] | None = None,
) -> SearchBench:
    """Measure SD, BD, MBD and the guided search on a network of ours.

    Args:
        module: the teacher's network, which maps images in [0, 1] to scores.
        images: pairs and exemplars are drawn from them.
        teacher: what the teacher is called in the figures.
        num_classes: number of scores.
        settings: what to measure.
        run: keeps the primers of the guided search, so that a second bench need not train them; None for a temporary
            one.
        on_search: hears each figure as soon as it is there.

    Returns:
        The figures.

    Raises:
        PlanError: fewer images than the pairs need, or a pair for which the yardstick is undefined everywhere.

    Cost: one query an image, and per pair the queries that the figures tell; on an account in memory.
    """
    bench = _Bench(module, images, num_classes, settings or BenchSettings())
    figures = []
    with ExitStack() as stack:
        kept = run or stack.enter_context(Run(stack.enter_context(TemporaryDirectory(prefix="db3kd-"))))
        for figure in bench.figures(kept):
            figures.append(figure)
            _log.info("%s, %s: measured", figure.name, figure.setting)
            if on_search is not None:
                on_search(figure)
    return bench.summary(tuple(figures), teacher)


@dataclass(frozen=True)
class _Measured:
    """What a search bought, and how fast."""

    bought: Interrogation
    speed: Speed
    rows_per_call: float


class _Bench:
    """Holds what all measurements share: teacher, pool, pairs and yardstick."""

    def __init__(self, module: nn.Module, images: Dataset, num_classes: int, settings: BenchSettings) -> None:
        self._settings, self._images, self._num_classes = settings, images, num_classes
        self._teacher = TorchTeacher(
            module,
            input_shape=images.image_shape,
            num_classes=num_classes,
            max_batch=settings.max_batch,
            device=settings.device,
        )
        self._few = -(-settings.pairs // (num_classes - 1))
        if len(images) < self._few:
            raise PlanError(
                f"{settings.pairs:,} pairs need {self._few:,} images, got {len(images):,}; nothing was measured"
            )
        oracle = self._oracle("pool")
        self._decisions = torch.cat(
            [oracle(images.images(rows)) for rows in torch.arange(len(images)).split(_IMAGES_PER_STEP)]
        )
        self._pool_queries = oracle.usage.rows
        self._pool = ExemplarPool(images, self._decisions, num_classes=num_classes)
        self._pairs = _first(self._pairs_of(self._few), settings.pairs)
        self._whitebox = decoupled_minimum(
            module, self._pairs, steps=settings.whitebox_steps, device=settings.device
        ).distances
        self._bare = BareTeacher(
            module,
            images.images(torch.arange(min(512, len(images)))),
            device=settings.device,
            round_seconds=settings.bare_seconds / 4,
        )
        self._speeds: list[float] = []

    def figures(self, run: Run) -> Iterator[SearchFigures]:
        """Measure one search after the other."""
        yield self._sample_distance()
        for order in get_args(ExemplarOrder):
            for exemplars in self._settings.exemplars:
                yield self._boundary_distance(BoundaryDistance(exemplars, order))
        yield from self._minimal_boundary_distance()
        yield from self._guided(run)
        yield from self._rivals()

    def summary(self, figures: tuple[SearchFigures, ...], teacher: str) -> SearchBench:
        """Put the figures together."""
        found = self._whitebox[self._whitebox.isfinite()]
        if not len(found):
            raise PlanError("the white-box search found no crossing at all; is this the network of these images?")
        return SearchBench(
            teacher=teacher,
            images=self._images.name,
            pairs=len(self._pairs),
            seed=self._settings.seed,
            device=self._settings.device,
            threads=torch.get_num_threads(),
            bare_rows_per_second=statistics.median(self._speeds),
            bare=BareFigures(self._bare.batch, self._bare.memory_layout),
            whitebox_mean=float(found.mean()),
            whitebox_median=_median(found),
            whitebox_not_found=len(self._whitebox) - len(found),
            pool_queries=self._pool_queries,
            searches=figures,
        )

    def _sample_distance(self) -> SearchFigures:
        search = SampleDistance().search(self._pairs, self._pool, self._teacher.spec)
        bought = interrogate(self._teacher, search, queries_per_pair=0)
        return self._figures("sd", f"exemplars=all {len(self._images)}", bought.crossings.distances, 0.0, None)

    def _boundary_distance(self, method: BoundaryDistance) -> SearchFigures:
        cost = (self._num_classes - 1) * (_FIRST_COST + _FURTHER_COST * method.exemplars)
        wanted = math.ceil(self._settings.speed_rows / cost)
        pairs = self._pairs
        if wanted > self._few:
            pairs = self._pairs_of(min(wanted, len(self._images)))
        measured = self._run(method, pairs, method.most_queries)
        crossings = measured.bought.crossings
        count = len(self._pairs)
        queries = float(crossings.queries[:count].double().mean())
        setting = f"exemplars={method.exemplars}, order={method.order}"
        return self._figures(method.name, setting, crossings.distances[:count], queries, measured)

    def _minimal_boundary_distance(self) -> Iterator[SearchFigures]:
        counts = self._settings.sign_opt_queries
        if not counts:
            return
        method = MinimalBoundaryDistance(seed=self._settings.seed)
        measured = self._run(method, self._pairs, max(counts), counts)
        for count in sorted(counts):
            queries = float(measured.bought.crossings.queries.clamp(max=count).double().mean())
            distances = measured.bought.snapshots[count]
            yield self._figures(method.name, f"queries={count}", distances, queries, measured)

    def _guided(self, run: Run) -> Iterator[SearchFigures]:
        counts = self._settings.guided_queries
        if not counts:
            return
        priming, device = self._settings.priming, self._settings.device
        if priming.networks:
            primed = prime(run, self._teacher, self._images, self._decisions, priming, budget=Budget(), device=device)
            yield from self._guided_by(primed.guide, f"primers={priming.networks}", primed.queries)
        yield from self._guided_by(None, "primers=0", 0)

    def _guided_by(self, guide: Guide | None, setting: str, primer_queries: int) -> Iterator[SearchFigures]:
        counts = self._settings.guided_queries
        method = GuidedDistance(guide, seed=self._settings.seed)
        # One run a count: an estimate that a snapshot would cut in two is not begun.
        for count in sorted(counts):
            before = 0.0 if guide is None else guide.seconds
            measured = self._run(method, self._pairs, count, guide=guide)
            crossings = measured.bought.crossings
            queries = float(crossings.queries.double().mean())
            figures = self._figures(method.name, f"{setting}, queries={count}", crossings.distances, queries, measured)
            seconds = 0.0 if guide is None else guide.seconds - before
            yield dataclasses.replace(figures, primer_queries=primer_queries, student_seconds=seconds)

    def _rivals(self) -> Iterator[SearchFigures]:
        if self._settings.rivals is None:
            return
        for rival in measure_rivals(self._pairs, self._pool, self._settings.rivals):
            for count, distances in zip(rival.counts, rival.distances.T, strict=True):
                queries = float(rival.queries.clamp(max=count).double().mean())
                yield self._figures(rival.name, f"{rival.setting}, queries={count}", distances, queries, None)

    def _run(
        self,
        method: Method,
        pairs: Pairs,
        queries: int,
        snapshots: tuple[int, ...] = (),
        *,
        guide: Guide | None = None,
    ) -> _Measured:
        oracle = self._oracle(method.name)

        def student_seconds() -> float:
            return 0.0 if guide is None else guide.seconds

        seconds = self._settings.bare_seconds
        with Alternating(oracle, self._bare, bare_seconds=seconds, apart=student_seconds) as asked:
            search = method.search(pairs, self._pool, oracle.spec)
            bought = interrogate(asked, search, queries_per_pair=queries, snapshots=snapshots)
        self._speeds.append(asked.speed.bare_rows_per_second)
        return _Measured(bought, asked.speed, oracle.usage.rows / max(1, oracle.usage.calls))

    def _oracle(self, stage: str) -> Oracle:
        # A ledger in memory, leased as the pipeline leases: the checks and the charging are in what is measured.
        return Oracle(self._teacher, Ledger(None).account(stage, block=_LEASE))

    def _pairs_of(self, count: int) -> Pairs:
        """All pairs of so many drawn images, those of the comparison first."""
        first = draw(self._images.ids, self._few, seed=self._settings.seed)
        more = draw(self._images.ids, count, seed=self._settings.seed)
        rows = torch.cat([first, more[~torch.isin(more, first)]])
        drawn = self._images.subset(rows)
        device = self._settings.device
        return Pairs.every_other_class(
            drawn.images().to(device),
            drawn.ids,
            self._decisions[rows].to(device),
            num_classes=self._num_classes,
            seed=self._settings.seed,
        )

    def _figures(
        self, name: str, setting: str, distances: Float[Tensor, " k"], queries: float, measured: _Measured | None
    ) -> SearchFigures:
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


def _first(pairs: Pairs, count: int) -> Pairs:
    goals = Goals(pairs.goals.classes[:count], pairs.goals.reaching[:count])
    return Pairs(pairs.images, pairs.image_of[:count], goals, pairs.keys[:count])


def _median(values: Float[Tensor, " k"]) -> float:
    # torch's own median of an even count is the lower of the two in the middle.
    return float(torch.quantile(values, 0.5))
