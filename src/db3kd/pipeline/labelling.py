"""The stages that spend: decisions of all images, then distances, shard by shard.

Each answer is noted in a journal before it is used, so an interrupted stage goes on without paying twice. Called by
`db3kd.pipeline.tell` and by benchmarks.
"""

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

import torch

from db3kd.boundary import ExemplarPool
from db3kd.data import Dataset
from db3kd.errors import RunMismatch
from db3kd.execution import Labelling, Remembering, make_shard
from db3kd.oracle import Oracle
from db3kd.pipeline.story import Budget, Progress, silent
from db3kd.runs import Run
from db3kd.teachers import Teacher, TeacherSpec
from db3kd.tensorfile import pack, unpack
from db3kd.tensors import Int, Tensor
from db3kd.transfer import TransferSet, transfer_from_bytes

TRANSFER = "transfer.safetensors"
EXAMPLES = 8
# A kill wastes at most one lease; a lease costs one write to the disk.
_LEASE = 16_384
_ROWS_BYTES_PER_SHARD = 16 * 2**20
_MOST_IMAGES_PER_SHARD = 512
_BYTE = 256
_IMAGES_PER_STEP = 4096
_DECISIONS = "db3kd-decisions-1"
_SHARD = "db3kd-shard-1"


def decide(
    run: Run,
    teacher: Teacher,
    images: Dataset,
    *,
    budget: Budget,
    stage: str = "decisions",
    held_out: bool = False,
    progress: Progress = silent,
) -> Int[Tensor, " n"]:
    """Ask the teacher for the class of each image, or read what it said before.

    Args:
        run: remembers the answers under the stage's name.
        teacher: decides.
        images: the n images.
        budget: what may be spent.
        stage: who spends.
        held_out: whether it is booked apart from the budget.
        progress: hears how far it is.

    Returns:
        A class per image.

    Raises:
        BudgetExhausted: the budget is spent; the answers so far are kept.
        RunMismatch: the run holds the decisions of other images.
        TeacherError: the teacher failed for good.

    Cost: one query an image that was not answered before.
    """
    images = _as_seen(images, teacher.spec)
    name, identity = f"{stage}.safetensors", _identity(teacher, images.digest)
    read = _read_decisions(run, name)
    if read is not None:
        tensors, header = read
        if header["identity"] != identity.hex():
            raise RunMismatch(
                f"{run.folder / name} holds decisions of other images or of another teacher; nothing was asked: "
                "use another run directory"
            )
        return tensors["decisions"]
    with _asking(run, teacher, budget, stage, held_out=held_out) as oracle, run.journal(stage, identity) as journal:
        ask = Remembering(oracle, journal)
        answers = []
        progress(stage, 0, len(images), "images")
        for rows in torch.arange(len(images)).split(_IMAGES_PER_STEP):
            answers.append(ask(images.images(rows)))
            progress(stage, int(rows[-1]) + 1, len(images), "images")
    decisions = torch.cat(answers)
    header = {
        "identity": identity.hex(),
        "images_per_shard": str(images_per_shard(images.image_shape, teacher.spec.num_classes)),
    }
    run.put(name, pack({"decisions": decisions}, header, kind=_DECISIONS))
    run.drop_journal(stage)
    return decisions


def label(
    run: Run,
    teacher: Teacher,
    images: Dataset,
    labelling: Labelling,
    *,
    budget: Budget,
    progress: Progress = silent,
) -> TransferSet:
    """Buy the distances of all images, or read what was bought before.

    Args:
        run: remembers shards, journals and the transfer set.
        teacher: decides.
        images: the n images; they are the pool of exemplars too.
        labelling: how.
        budget: what may be spent.
        progress: hears how far it is.

    Returns:
        The transfer set.

    Raises:
        BudgetExhausted: the budget is spent; finished shards and all answers are kept.
        ArtifactError: a shard was edited or truncated; it is named.
        TeacherError: the teacher failed for good.

    Cost: one query an image, and at most `labelling.queries_per_pair` for each image and other class.
    """
    images = _as_seen(images, teacher.spec)
    kept = run.get(TRANSFER)
    if kept is not None:
        transfer = transfer_from_bytes(kept, str(run.folder / TRANSFER))
        _check_bought(run, transfer, images, _provenance(teacher, labelling))
        return transfer
    decisions = decide(run, teacher, images, budget=budget, progress=progress)
    pool = ExemplarPool(images, decisions, num_classes=teacher.spec.num_classes)
    scope = _identity(teacher, images.digest, repr(labelling), decisions.numpy().tobytes().hex())
    parts = torch.arange(len(images)).split(images_per_shard(images.image_shape, teacher.spec.num_classes))
    # A shard that was put back by hand may stand behind one that is missing.
    done = sum(len(parts[index]) for index in run.shards.finished() if index < len(parts))
    progress("label", done, len(images), "images")
    with _asking(run, teacher, budget, "label") as oracle:
        for index, rows in enumerate(parts):
            identity = scope + index.to_bytes(4, "big")
            if run.shards.get(index) is not None:
                _check_shard(run, index, identity)
            else:
                with run.shards.journal(index, identity) as journal:
                    shard = make_shard(
                        Remembering(oracle, journal),
                        images.subset(rows),
                        decisions[rows],
                        pool,
                        labelling,
                        examples=EXAMPLES if index == 0 else 0,
                    )
                run.shards.put(index, pack(shard, {"identity": identity.hex()}, kind=_SHARD))
                done += len(rows)
                progress("label", done, len(images), "images")
    transfer = _assemble(run, images, decisions, labelling, teacher, scope=scope, count=len(parts))
    run.put(TRANSFER, transfer.to_bytes())
    return transfer


def images_per_shard(image_shape: tuple[int, int, int], num_classes: int) -> int:
    """Choose how many images a shard has: enough rows for full calls, and few enough for the memory of any machine.

    Args:
        image_shape: channels, height and width of one image.
        num_classes: number of classes of the teacher.

    Returns:
        So many images that a float for each pixel of each of their rows takes 16 MiB; a search holds a few of those.
    """
    bytes_per_image = 4 * math.prod(image_shape) * (num_classes - 1)
    return max(1, min(_MOST_IMAGES_PER_SHARD, _ROWS_BYTES_PER_SHARD // bytes_per_image))


def count_decided(run: Run) -> tuple[int, int] | None:
    """Tell how many images have the teacher's decisions, and in how many shards; None where that is not finished."""
    read = _read_decisions(run, "decisions.safetensors")
    if read is None:
        return None
    tensors, header = read
    images = len(tensors["decisions"])
    return images, -(-images // int(header["images_per_shard"]))


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


def _read_decisions(run: Run, name: str) -> tuple[dict[str, Tensor], dict[str, str]] | None:
    kept = run.get(name)
    if kept is None:
        return None
    way_out = "delete it and run again: it is paid again"
    return unpack(kept, kind=_DECISIONS, origin=str(run.folder / name), way_out=way_out)


@contextmanager
def _asking(run: Run, teacher: Teacher, budget: Budget, stage: str, *, held_out: bool = False) -> Iterator[Oracle]:
    """An oracle on the run's account for a stage; what was leased too much is given back at the end."""
    with run.ledger().account(stage, limits=budget.limits(stage), block=_LEASE, held_out=held_out) as account:
        yield Oracle(teacher, account)


def _identity(teacher: Teacher, *what: str) -> bytes:
    return hashlib.sha256(json.dumps([teacher.spec.fingerprint, *what]).encode()).digest()


def _assemble(
    run: Run,
    images: Dataset,
    decisions: Int[Tensor, " n"],
    labelling: Labelling,
    teacher: Teacher,
    *,
    scope: bytes,
    count: int,
) -> TransferSet:
    shards = []
    for index in range(count):
        tensors = _check_shard(run, index, scope + index.to_bytes(4, "big"))
        tensors.pop("example_points", None)
        shards.append(tensors)
    table = {name: torch.cat([shard[name] for shard in shards]) for name in shards[0]}
    snapshots = {count: table[f"snapshots.{count}"] for count in sorted(labelling.snapshots)}
    found = (table["distances"], table["queries"], table["outcomes"])
    return TransferSet(images, decisions, *found, snapshots, _provenance(teacher, labelling))


def _check_shard(run: Run, index: int, identity: bytes) -> dict[str, Tensor]:
    """Read a shard, if it was made by this plan and teacher."""
    tensors, header = read_shard(run, index)
    if header["identity"] != identity.hex():
        raise RunMismatch(
            f"{run.shards.path(index)} was made by another plan, teacher or version; nothing was asked: put the right "
            "file back, or delete it and run again: only its queries are paid again"
        )
    return tensors


def _provenance(teacher: Teacher, labelling: Labelling) -> dict[str, str]:
    return {"method": labelling.method.name, "labelling": repr(labelling), "teacher": teacher.spec.fingerprint}


def _check_bought(run: Run, transfer: TransferSet, images: Dataset, provenance: Mapping[str, str]) -> None:
    """Refuse a finished transfer set that was bought for something else."""
    faults = [
        f"{name}: {transfer.provenance.get(name)!r} there, {asked!r} asked for"
        for name, asked in provenance.items()
        if transfer.provenance.get(name) != asked
    ]
    if transfer.images.digest != images.digest:
        faults.append(f"other images than {images.name} has now")
    if faults:
        raise RunMismatch(
            f"{run.folder / TRANSFER} holds what was bought for something else ({'; '.join(faults)}); nothing was "
            "changed or spent: put back what it was, or use another run directory"
        )


def _as_seen(images: Dataset, spec: TeacherSpec) -> Dataset:
    """The images as the teacher sees them: on its levels, so that what is measured from is what was asked."""
    if spec.levels is None or (spec.levels == _BYTE and images.pixels.dtype == torch.uint8):
        return images
    return replace(images, pixels=spec.admit(images.images()))
