"""How near the searches come to the white-box minimum, for how many queries, and how fast.

SD, BD, MBD and the guided search, each with several settings, and public attacks where they are wanted (`rivals`).
What they have in common is held by `bench`. Called by `python -m benchmarks.search`.
"""

import logging
import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from torch import nn

from benchmarks.search.bench import Bench, BenchSettings
from benchmarks.search.committee import train_guide
from benchmarks.search.figures import SearchBench, SearchFigures
from benchmarks.search.rivals import measure_rivals
from db3kd.boundary import (
    BoundaryDistance,
    Guide,
    GuidedDistance,
    MinimalBoundaryDistance,
    SampleDistance,
    interrogate,
)
from db3kd.context import Context
from db3kd.data import Dataset

_log = logging.getLogger(__name__)

# What a bisection asks, for sizing a measurement: about 11 for the first exemplar and 2 for each further one.
_FIRST_COST, _FURTHER_COST = 11.0, 2.0
_ORDERS: tuple[Literal["nearest", "random"], ...] = ("nearest", "random")


def measure_searches(
    module: nn.Module,
    images: Dataset,
    *,
    teacher: str,
    num_classes: int,
    settings: BenchSettings | None = None,
    folder: Path | None = None,
    on_search: Callable[[SearchFigures], None] | None = None,
) -> SearchBench:
    """Measure SD, BD, MBD and the guided search on a network of ours.

    Args:
        module: the teacher's network, which maps images in [0, 1] to scores.
        images: pairs and exemplars are drawn from them.
        teacher: what the teacher is called in the figures.
        num_classes: number of scores.
        settings: what to measure.
        folder: of a run that keeps the committee of the guided search, so that a second bench need not train it; None
            for a temporary one.
        on_search: hears each figure as soon as it is there.

    Returns:
        The figures.

    Raises:
        PlanError: fewer images than the pairs need, or a pair for which the yardstick is undefined everywhere.

    Cost: one query an image, and per pair the queries that the figures give; on an account in memory.
    """
    bench = Bench(module, images, num_classes, settings or BenchSettings())
    figures = []
    with ExitStack() as stack:
        kept = folder or Path(stack.enter_context(TemporaryDirectory(prefix="db3kd-")))
        for figure in _all(bench, kept):
            figures.append(figure)
            _log.info("%s, %s: measured", figure.name, figure.setting)
            if on_search is not None:
                on_search(figure)
    return bench.summary(tuple(figures), teacher)


def _all(bench: Bench, folder: Path) -> Iterator[SearchFigures]:
    """Measure one search after the other."""
    yield _sample_distance(bench)
    for order in _ORDERS:
        for exemplars in bench.settings.exemplars:
            yield _boundary_distance(bench, BoundaryDistance(exemplars, order))
    yield from _minimal_boundary_distance(bench)
    yield from _guided(bench, folder)
    yield from _rivals(bench)


def _sample_distance(bench: Bench) -> SearchFigures:
    search = SampleDistance().search(bench.pairs, bench.pool, bench.teacher.spec)
    bought = interrogate(bench.teacher, search, queries_per_pair=0)
    return bench.figures("sd", f"exemplars=all {len(bench.images)}", bought.crossings.distances, 0.0, None)


def _boundary_distance(bench: Bench, method: BoundaryDistance) -> SearchFigures:
    cost = (bench.num_classes - 1) * (_FIRST_COST + _FURTHER_COST * method.exemplars)
    wanted = math.ceil(bench.settings.speed_rows / cost)
    pairs = bench.pairs
    if wanted > bench.few:
        pairs = bench.pairs_of(min(wanted, len(bench.images)))
    measured = bench.run(method, pairs, method.most_queries)
    crossings = measured.bought.crossings
    count = len(bench.pairs)
    queries = float(crossings.queries[:count].double().mean())
    setting = f"exemplars={method.exemplars}, order={method.order}"
    return bench.figures(method.name, setting, crossings.distances[:count], queries, measured)


def _minimal_boundary_distance(bench: Bench) -> Iterator[SearchFigures]:
    counts = bench.settings.sign_opt_queries
    if not counts:
        return
    method = MinimalBoundaryDistance(seed=bench.settings.seed)
    measured = bench.run(method, bench.pairs, max(counts), snapshots=counts)
    for count in sorted(counts):
        queries = float(measured.bought.crossings.queries.clamp(max=count).double().mean())
        yield bench.figures(method.name, f"queries={count}", measured.bought.snapshots[count], queries, measured)


def _guided(bench: Bench, folder: Path) -> Iterator[SearchFigures]:
    settings = bench.settings
    if not settings.guided_queries:
        return
    if settings.committee is not None:
        context = Context(settings.device, settings.seed)
        trained = train_guide(
            folder, bench.teacher, bench.images, bench.decisions, committee=settings.committee, context=context
        )
        yield from _guided_by(bench, trained.guide, f"committee={settings.committee.members}", trained.queries)
    yield from _guided_by(bench, None, "committee=0", 0)


def _guided_by(bench: Bench, guide: Guide | None, setting: str, committee_queries: int) -> Iterator[SearchFigures]:
    method = GuidedDistance(seed=bench.settings.seed)
    # One run a count: an estimate that a snapshot would cut in two is not begun.
    for count in sorted(bench.settings.guided_queries):
        before = 0.0 if guide is None else guide.seconds
        measured = bench.run(method, bench.pairs, count, guide=guide)
        crossings = measured.bought.crossings
        queries = float(crossings.queries.double().mean())
        figures = bench.figures(method.name, f"{setting}, queries={count}", crossings.distances, queries, measured)
        seconds = 0.0 if guide is None else guide.seconds - before
        yield replace(figures, committee_queries=committee_queries, committee_seconds=seconds)


def _rivals(bench: Bench) -> Iterator[SearchFigures]:
    if bench.settings.rivals is None:
        return
    for rival in measure_rivals(bench.pairs, bench.pool, bench.settings.rivals):
        for count, distances in zip(rival.counts, rival.distances.T, strict=True):
            queries = float(rival.queries.clamp(max=count).double().mean())
            yield bench.figures(rival.name, f"{rival.setting}, queries={count}", distances, queries, None)
