"""The stage that buys distances, shard by shard.

Each answer is noted in a journal before it is used, so an interrupted stage goes on without paying twice. Called by
`db3kd.pipeline.tell` and by benchmarks.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch

from db3kd.boundary import ExemplarPool
from db3kd.boundary.methods import GuidedDistance
from db3kd.data import Dataset
from db3kd.errors import RunMismatch, TeacherError
from db3kd.execution import Labelling, Remembering, make_shard
from db3kd.models import build
from db3kd.pipeline.asking import as_seen, asking, check_made_for, decide, identity_of, images_per_shard
from db3kd.pipeline.priming import prime
from db3kd.pipeline.repeating import repeat
from db3kd.pipeline.story import Budget, Priming, Progress, silent
from db3kd.pipeline.synthesized import kept_synthesis
from db3kd.runs import Run
from db3kd.teachers import Teacher
from db3kd.tensorfile import pack, unpack
from db3kd.tensors import Bool, Float, Int, Tensor
from db3kd.transfer import TransferSet, transfer_from_bytes

_log = logging.getLogger(__name__)

TRANSFER = "transfer.safetensors"
PROBES = "probes.safetensors"
EXAMPLES = 64
_SHARD = "db3kd-shard-1"
_PROBES = "db3kd-probes-1"
_ASKED = "asked"
_NO_TABLES = ("example_", "probe_")


def label(
    run: Run,
    teacher: Teacher,
    images: Dataset,
    labelling: Labelling,
    *,
    budget: Budget,
    priming: Priming | None = None,
    progress: Progress = silent,
) -> TransferSet:
    """Buy the distances of all images, or read what was bought before.

    Args:
        run: remembers shards, journals and the transfer set.
        teacher: decides.
        images: the n images; they are the pool of exemplars too.
        labelling: how.
        budget: what may be spent.
        priming: where primers come from, which guide a guided search and may teach a student; None for none.
        progress: hears how far it is.

    Returns:
        The transfer set.

    Raises:
        BudgetExhausted: the budget is spent; finished shards and all answers are kept.
        ArtifactError: a shard was edited or truncated; it is named.
        PlanError: there is no such primer, or it does not fit the images.
        TeacherError: the teacher failed for good.

    Cost: one query an image, and at most `labelling.queries_per_pair` for each image and other class; and
        `budget.repeats` where the budget leaves them.
    """
    images = as_seen(images, teacher.spec)
    kept = run.get(TRANSFER)
    if kept is not None:
        transfer = transfer_from_bytes(kept, str(run.folder / TRANSFER))
        _check_bought(run, transfer, images, _provenance(teacher, labelling, priming))
        return transfer
    if priming is not None:
        # Built and dropped: a primer that cannot be built must not show after the first queries.
        build(priming.architecture, images.image_shape, teacher.spec.num_classes)
    decisions = decide(run, teacher, images, budget=budget, progress=progress)
    provenance = _provenance(teacher, labelling, priming)
    decided = decisions < teacher.spec.num_classes
    if not decided.all():
        images, decisions, provenance = _leave_out(images, decisions, decided, provenance)
    if priming is not None:
        device = labelling.device
        primed = prime(run, teacher, images, decisions, priming, budget=budget, device=device, progress=progress)
        if isinstance(labelling.method, GuidedDistance):
            labelling = replace(labelling, method=replace(labelling.method, guide=primed.guide))
        provenance |= {"primer_queries": str(primed.queries), "primer_seed": str(priming.seed)}
    made = kept_synthesis(run)
    if made is not None and made.images.digest == images.digest:
        provenance["image_queries"] = str(sum(made.figures.queries.values()))
    scope = identity_of(teacher, images.digest, repr(labelling), decisions.numpy().tobytes().hex())
    count = _buy_shards(run, teacher, images, decisions, labelling, scope=scope, budget=budget, progress=progress)
    repeat(run, teacher, images, decisions, budget=budget)
    transfer = _assemble(run, images, decisions, provenance, scope=scope, count=count)
    if labelling.keep_probes:
        _put_probes(run, count, labelling.keep_probes)
    run.put(TRANSFER, transfer.to_bytes())
    return transfer


@dataclass(frozen=True, eq=False)
class KeptProbes:
    """Points that searches asked about, with the answers: images near the boundary, to learn from.

    Args:
        points: as they were sent, in input units.
        decisions: the teacher's class of each of them.
    """

    points: Float[Tensor, "p c h w"]
    decisions: Int[Tensor, " p"]


def kept_probes(run: Run) -> KeptProbes | None:
    """Read the probes that a labelling kept; None where it kept none.

    Args:
        run: where they are.

    Returns:
        Points and answers.

    Raises:
        ArtifactError: the file was edited or truncated.
    """
    kept = run.get(PROBES)
    if kept is None:
        return None
    way_out = "delete it and the transfer set and run again: both are put together again, at no query"
    tensors, _ = unpack(kept, kind=_PROBES, origin=str(run.folder / PROBES), way_out=way_out)
    return KeptProbes(tensors["points"], tensors["decisions"])


def _put_probes(run: Run, count: int, most: int) -> None:
    """Gather the probes of all shards; each shard has its share of them."""
    shards = [read_shard(run, index)[0] for index in range(count)]
    points = torch.cat([shard["probe_points"] for shard in shards])[:most]
    decisions = torch.cat([shard["probe_decisions"] for shard in shards])[:most]
    run.put(PROBES, pack({"points": points, "decisions": decisions}, {}, kind=_PROBES))


def read_shard(run: Run, index: int) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read a finished shard.

    Args:
        run: where it is.
        index: its number, from 0.

    Returns:
        What `make_shard` gave, and the header.

    Raises:
        ArtifactError: it is not there, or was edited or truncated.
    """
    origin = str(run.shards.path(index))
    return unpack(
        run.shards.get(index) or b"",
        kind=_SHARD,
        origin=origin,
        way_out="delete it and run again: only this shard is made, and its queries paid, again",
    )


def _buy_shards(
    run: Run,
    teacher: Teacher,
    images: Dataset,
    decisions: Int[Tensor, " n"],
    labelling: Labelling,
    *,
    scope: bytes,
    budget: Budget,
    progress: Progress,
) -> int:
    """Buy the shards that are still missing; give how many there are in all."""
    pool = ExemplarPool(images, decisions, num_classes=teacher.spec.num_classes)
    parts = torch.arange(len(images)).split(images_per_shard(images.image_shape, teacher.spec.num_classes))
    # A shard that was put back by hand may stand behind one that is missing.
    done = sum(len(parts[index]) for index in run.shards.finished() if index < len(parts))
    progress("label", done, len(images), "images")
    with asking(run, teacher, budget, "label") as oracle:
        for index, rows in enumerate(parts):
            identity = scope + index.to_bytes(4, "big")
            if run.shards.get(index) is not None:
                _check_shard(run, index, identity)
                continue
            with run.shards.journal(index, identity) as journal:
                before = _work_of(labelling)
                shard = make_shard(
                    Remembering(oracle, journal),
                    images.subset(rows),
                    decisions[rows],
                    pool,
                    labelling,
                    examples=EXAMPLES if index == 0 else 0,
                    probes=-(-labelling.keep_probes * len(rows) // len(images)),
                )
            header = {"identity": identity.hex(), **_spent_since(before, labelling)}
            run.shards.put(index, pack(shard, header, kind=_SHARD))
            done += len(rows)
            progress("label", done, len(images), "images")
    return len(parts)


def _assemble(
    run: Run,
    images: Dataset,
    decisions: Int[Tensor, " n"],
    provenance: Mapping[str, str],
    *,
    scope: bytes,
    count: int,
) -> TransferSet:
    shards = []
    for index in range(count):
        tensors = _check_shard(run, index, scope + index.to_bytes(4, "big"))
        shards.append({name: tensor for name, tensor in tensors.items() if not name.startswith(_NO_TABLES)})
    table = {name: torch.cat([shard[name] for shard in shards]) for name in shards[0]}
    counts = sorted(int(name.removeprefix("snapshots.")) for name in table if name.startswith("snapshots."))
    snapshots = {count: table[f"snapshots.{count}"] for count in counts}
    found = (table["distances"], table["queries"], table["outcomes"])
    return TransferSet(images, decisions, *found, snapshots, dict(provenance))


def _check_shard(run: Run, index: int, identity: bytes) -> dict[str, Tensor]:
    """Read a shard, if it was made by this plan and teacher."""
    tensors, header = read_shard(run, index)
    check_made_for(run.shards.path(index), header, identity)
    return tensors


def _leave_out(
    images: Dataset, decisions: Int[Tensor, " n"], decided: Bool[Tensor, " n"], provenance: dict[str, str]
) -> tuple[Dataset, Int[Tensor, " m"], dict[str, str]]:
    """Go on without the images that a teacher gave no class."""
    rows = decided.nonzero()[:, 0]
    if not len(rows):
        raise TeacherError(
            f"the teacher gave none of the {len(images)} images of {images.name} a class; these answers are kept, and "
            "there is nothing to learn from: name other images, or see to teacher.abstentions"
        )
    _log.warning("the teacher gave %d of %d images no class; they are left out", len(images) - len(rows), len(images))
    # What was asked for, to know it again.
    return images.subset(rows), decisions[rows], {**provenance, _ASKED: images.digest}


def _work_of(labelling: Labelling) -> tuple[int, float] | None:
    """Passes and seconds of the primers so far."""
    guide = labelling.method.guide if isinstance(labelling.method, GuidedDistance) else None
    return None if guide is None else (guide.passes, guide.seconds)


def _spent_since(before: tuple[int, float] | None, labelling: Labelling) -> dict[str, str]:
    now = _work_of(labelling)
    if before is None or now is None:
        return {}
    return {"primer_passes": str(now[0] - before[0]), "primer_seconds": f"{now[1] - before[1]:.3f}"}


def _provenance(teacher: Teacher, labelling: Labelling, priming: Priming | None) -> dict[str, str]:
    how = {"method": labelling.method.name, "labelling": repr(labelling), "teacher": teacher.spec.fingerprint}
    # None as well: what was bought without primers is another thing than what was bought with them.
    bare = priming is None and not isinstance(labelling.method, GuidedDistance)
    return how if bare else {**how, "priming": repr(priming)}


def _check_bought(run: Run, transfer: TransferSet, images: Dataset, provenance: Mapping[str, str]) -> None:
    """Refuse a finished transfer set that was bought for something else."""
    faults = [
        f"{name}: {transfer.provenance.get(name)!r} there, {asked!r} asked for"
        for name, asked in provenance.items()
        if transfer.provenance.get(name) != asked
    ]
    if transfer.provenance.get(_ASKED, transfer.images.digest) != images.digest:
        faults.append(f"other images than {images.name} has now")
    if faults:
        raise RunMismatch(
            f"{run.folder / TRANSFER} holds what was bought for something else ({'; '.join(faults)}); nothing was "
            "changed or spent: put back what it was, or use another run directory"
        )
