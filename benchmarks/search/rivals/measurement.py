"""Asks the rivals how near they come, in the process that they live in.

They get the pairs of our searches and start where those start: at the nearest exemplar of the target class, whose
decision is known. The searches themselves are measured in `benchmarks.search.search`, which calls this.
"""

import logging
import math
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from benchmarks.environment import ART, FOOLBOX, variables
from db3kd.boundary import ExemplarPool, Pairs
from db3kd.errors import Db3kdError, PlanError
from db3kd.tensors import Float, Int, Tensor

logger = logging.getLogger(__name__)

_RIVALS = (("hop-skip-jump", f"foolbox {FOOLBOX}"), ("sign-opt-art", f"art {ART} mended"))


@dataclass(frozen=True)
class RivalSettings:
    """What is measured of the rivals.

    Args:
        python: the interpreter that can import them, as `rivals_python` gives it.
        weights: file of the network's weights; the rivals' process reads it.
        queries: query counts a pair at which distances are compared; one run serves all.
        pairs: so many of the first pairs are attacked; None means all.

    Raises:
        PlanError: nothing to measure.
    """

    python: Path
    weights: Path
    queries: tuple[int, ...] = (200, 500, 1000, 4000)
    pairs: int | None = None

    def __post_init__(self) -> None:
        pairs = 1 if self.pairs is None else self.pairs
        if not self.queries or min(*self.queries, pairs) < 1:
            raise PlanError(
                "rivals need at least 1 query and 1 pair, "
                f"got queries {self.queries} and pairs {self.pairs}; nothing was measured"
            )


@dataclass(frozen=True)
class RivalDistances:
    """How near one rival came.

    Args:
        name: of the attack.
        setting: the library and its version, and how many pairs if not all.
        counts: the query counts, ascending.
        distances: of the best crossing at each count, L2 in input units; infinite for a pair without a start.
        queries: what each pair has spent in all.
    """

    name: str
    setting: str
    counts: tuple[int, ...]
    distances: Float[Tensor, "k counts"]
    queries: Int[Tensor, " k"]


def measure_rivals(pairs: Pairs, pool: ExemplarPool, settings: RivalSettings) -> Iterator[RivalDistances]:
    """Attack pairs by one rival after the other.

    Args:
        pairs: with goals to reach; their keys are the seeds.
        pool: gives each pair its start, the nearest exemplar of its class.
        settings: what to measure.

    Yields:
        What each rival reached on the first pairs, on the CPU.

    Raises:
        Db3kdError: a rival's process failed; what it said stands in the error.

    Cost: the largest query count a pair and rival, asked by processes of their own and counted there.
    """
    assert bool(pairs.goals.reaching.all()), "rivals are measured on targeted goals"
    count = len(pairs) if settings.pairs is None else min(settings.pairs, len(pairs))
    exemplars = pool.nearest(pairs, 1)[:count, 0].cpu()
    started = (exemplars >= 0).nonzero()[:, 0]
    counts = tuple(sorted(set(settings.queries)))
    fewer = "" if count == len(pairs) else f", first {count} pairs"
    with tempfile.TemporaryDirectory(prefix="db3kd-rivals-") as folder:
        request = Path(folder) / "request.npz"
        np.savez(
            request,
            images=pairs.images.cpu().numpy(),
            image_of=pairs.image_of.cpu()[started].numpy(),
            targets=pairs.goals.classes.cpu()[started].numpy(),
            starts=pool.images(exemplars[started]).view(-1, *pairs.images.shape[1:]).numpy(),
            keys=pairs.keys.cpu()[started].numpy(),
            counts=np.array(counts),
        )
        for name, library in _RIVALS:
            logger.info("%s of %s attacks %d pairs", name, library, len(started))
            answer = _asked(settings, name, request)
            distances = torch.full((count, len(counts)), math.inf)
            queries = torch.zeros(count, dtype=torch.int64)
            distances[started] = answer["distances"].view(-1, len(counts))
            queries[started] = answer["queries"]
            yield RivalDistances(name, library + fewer, counts, distances, queries)


def _asked(settings: RivalSettings, rival: str, request: Path) -> dict[str, Tensor]:
    answer = request.with_name(f"{rival}.npz")
    command = (str(settings.python), "-m", "benchmarks.search.rivals.worker", rival, request, settings.weights, answer)
    done = subprocess.run(command, capture_output=True, text=True, env=variables(), check=False)
    if done.returncode:
        raise Db3kdError(
            f"the process of {rival} must end with code 0, got {done.returncode}; its figures are missing and nothing "
            f"of it was kept: leave the rivals out, or correct what it said:\n{done.stderr.strip()[-2000:]}"
        )
    return {name: torch.from_numpy(values) for name, values in np.load(answer).items()}
