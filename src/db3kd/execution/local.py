"""One shard of a labelling, made in this process: from images to distances.

A shard is a few hundred images with all their pairs: enough rows to keep the teacher's calls full, few enough to
fit in memory whatever the size of the data set. The pipeline decides which shards are still to be made.
"""

import zlib
from dataclasses import dataclass, field

import numpy as np
import torch

from db3kd.boundary import Crossings, ExemplarPool, Pairs, interrogate
from db3kd.boundary.methods import Method
from db3kd.data import Dataset
from db3kd.execution.recalling import Recalling
from db3kd.oracle import Oracle
from db3kd.runs import Journal
from db3kd.teachers import Teacher, TeacherSpec
from db3kd.tensors import Float, Int, Tensor
from db3kd.transfer import OWN_CLASS

_SAMPLED_PIXELS = 32


@dataclass(frozen=True)
class Labelling:
    """How distances are bought.

    Args:
        method: the search.
        queries_per_pair: most queries for one image and class.
        snapshots: query counts at which distances are kept.
        share_leftovers: whether an image's rows share what some of them leave over.
        keep_probes: most points to keep with their answers, of all images together, drawn evenly from all that were
            asked.
        seed: random choices are drawn from it, the image's id and the goal.
        device: where the search runs.
    """

    method: Method
    queries_per_pair: int
    snapshots: tuple[int, ...] = ()
    seed: int = 0
    share_leftovers: bool = False
    keep_probes: int = 0
    # Where it runs does not tell what it finds: a run may go on on another device.
    device: str = field(default="cpu", repr=False)


class Remembering:
    """An oracle that answers from a journal as far as it reaches, and notes every answer that was paid.

    Args:
        oracle: is asked where the journal ends.
        journal: the answers so far.
    """

    def __init__(self, oracle: Oracle | Recalling, journal: Journal) -> None:
        self.spec: TeacherSpec = oracle.spec
        self._oracle, self._journal = oracle, journal

    def __call__(self, images: Float[Tensor, "n c h w"]) -> Int[Tensor, " n"]:
        """Answer; batch by batch, so that a kill loses the batches in flight and no more."""
        if not len(images):
            # Split, no image at all would still make one batch.
            return torch.zeros(0, dtype=torch.int64, device=images.device)
        batches = images.split(self.spec.max_batch)
        answers = []
        for batch in batches:
            recorded = self._journal.next_record(_checksum(batch), len(batch))
            if recorded is None:
                break
            answers.append(torch.from_numpy(recorded))
        rest = batches[len(answers) :]
        if rest:
            for batch, decisions in zip(rest, self._oracle.answers(torch.cat(rest)), strict=True):
                self._journal.append(_checksum(batch), decisions.cpu().numpy())
                answers.append(decisions.cpu())
        return torch.cat(answers).to(images.device)


class Keeping:
    """An oracle that keeps some of the points that it was asked about, each as likely as any other.

    Args:
        oracle: is asked.
        most: so many are kept.
        seed: decides which ones.
    """

    def __init__(self, oracle: Teacher, most: int, seed: int) -> None:
        self.spec: TeacherSpec = oracle.spec
        self._oracle, self._most = oracle, most
        self._generator = torch.Generator().manual_seed(seed)
        self._tickets = torch.zeros(0)
        self.points = torch.zeros(0, *oracle.spec.input_shape)
        self.decisions = torch.zeros(0, dtype=torch.int64)

    def __call__(self, images: Float[Tensor, "n c h w"]) -> Int[Tensor, " n"]:
        """Answer; see `Teacher`."""
        decisions = self._oracle(images)
        self._keep(images, decisions)
        return decisions

    def _keep(self, images: Float[Tensor, "n c h w"], decisions: Int[Tensor, " n"]) -> None:
        if self.spec.abstains:
            # Nothing can be learned from a point without a class.
            decided = decisions < self.spec.num_classes
            images, decisions = images[decided], decisions[decided]
        # The highest tickets stay: so every point asked so far is as likely to be there, however many are to come.
        tickets = torch.rand(len(images), generator=self._generator)
        high = tickets > self._tickets.min() if len(self._tickets) >= self._most > 0 else tickets >= 0
        self._tickets = torch.cat([self._tickets, tickets[high]])
        self.points = torch.cat([self.points, images.cpu()[high]])
        self.decisions = torch.cat([self.decisions, decisions.cpu()[high]])
        if len(self._tickets) > self._most:
            kept = self._tickets.topk(self._most).indices
            self._tickets, self.points, self.decisions = self._tickets[kept], self.points[kept], self.decisions[kept]


def _checksum(batch: Float[Tensor, "b c h w"]) -> int:
    """Tells two questions apart; a sample of the pixels will do, since every search moves all of them."""
    flat = batch.flatten(1)
    sample = flat[:, :: max(1, flat.shape[1] // _SAMPLED_PIXELS)].cpu().contiguous().numpy()
    return zlib.crc32(sample.astype(np.float32, copy=False).tobytes())


def make_shard(
    oracle: Teacher,
    shard: Dataset,
    decisions: Int[Tensor, " n"],
    pool: ExemplarPool,
    labelling: Labelling,
    *,
    examples: int = 0,
    probes: int = 0,
) -> dict[str, Tensor]:
    """Buy the distances of one shard.

    Args:
        oracle: is asked.
        shard: the images.
        decisions: the teacher's class of each image.
        pool: exemplars to start from.
        labelling: how.
        examples: of how many images to keep the nearest crossing as a picture.
        probes: most points to keep with their answers.

    Returns:
        "distances", "queries", "outcomes" and "snapshots.N", each [n num_classes], as in `TransferSet`; with
        examples, "example_points" [examples c h w] too: the nearest crossings of the first images, NaN where none;
        with probes, "probe_points" [probes c h w] as they were sent and "probe_decisions" [probes].

    Raises:
        BudgetExhausted: the ledger allows no more.
        TeacherError: the teacher failed for good.

    Cost: at most `labelling.queries_per_pair` for each image and other class.
    """
    num_classes = oracle.spec.num_classes
    keeping = Keeping(oracle, probes, zlib.crc32(f"{labelling.seed}/{shard.ids[0]}".encode())) if probes else None
    images = shard.images().to(labelling.device)
    pairs = Pairs.every_other_class(
        images, shard.ids, decisions.to(labelling.device), num_classes=num_classes, seed=labelling.seed
    )
    answer = interrogate(
        keeping or oracle,
        labelling.method.search(pairs, pool, oracle.spec),
        queries_per_pair=labelling.queries_per_pair,
        snapshots=labelling.snapshots,
        share_leftovers=labelling.share_leftovers,
    )
    rows, columns = pairs.image_of.cpu(), pairs.goals.classes.cpu()

    def table(values: Tensor, empty: float | int) -> Tensor:
        values = values.cpu()
        filled = values.new_full((len(shard), num_classes), empty)
        filled[rows, columns] = values
        return filled

    found = answer.crossings
    tables = {
        "distances": table(found.distances, torch.inf),
        "queries": table(found.queries, 0),
        "outcomes": table(found.outcomes, OWN_CLASS),
    }
    tables |= {f"snapshots.{count}": table(kept, torch.inf) for count, kept in answer.snapshots.items()}
    if keeping is not None:
        tables |= {"probe_points": keeping.points, "probe_decisions": keeping.decisions}
    if examples:
        tables["example_points"] = _nearest_points(found, pairs, min(examples, len(shard)))
    return tables


def _nearest_points(found: Crossings, pairs: Pairs, count: int) -> Float[Tensor, "examples c h w"]:
    """The nearest crossing of each of the first images."""
    points = torch.full((count, *found.points.shape[1:]), torch.nan)
    for image in range(count):
        rows = (pairs.image_of == image).nonzero()[:, 0]
        if len(rows):
            points[image] = found.points[rows[found.distances[rows].argmin()]].cpu()
    return points
