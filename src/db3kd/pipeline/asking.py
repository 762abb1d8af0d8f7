"""The stages that ask for classes alone: of the images, of held-out ones, of mixtures for primers.

Each answer is noted in a journal before it is used, so an interrupted stage goes on without paying twice. How any stage
of a run gets its oracle stands here too, and how it knows what it kept.
"""

import hashlib
import json
import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import torch

from db3kd.answers import Answers
from db3kd.data import Dataset
from db3kd.errors import RunMismatch
from db3kd.execution import Remembering
from db3kd.execution.recalling import Recalling
from db3kd.oracle import Oracle
from db3kd.pipeline.story import Budget, Progress, silent
from db3kd.runs import Run
from db3kd.teachers import Teacher, TeacherSpec
from db3kd.teachers.recorded import describe
from db3kd.tensorfile import pack, unpack
from db3kd.tensors import Int, Tensor

_log = logging.getLogger(__name__)

# A kill wastes at most one lease; a lease costs one write to the disk.
_LEASE = 16_384
_ROWS_BYTES_PER_SHARD = 16 * 2**20
_MOST_IMAGES_PER_SHARD = 512
_BYTE = 256
_IMAGES_PER_STEP = 4096
_DECISIONS = "db3kd-decisions-1"


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
        A class per image; num_classes where a teacher that may abstain gives none.

    Raises:
        BudgetExhausted: the budget is spent; the answers so far are kept.
        RunMismatch: the run holds the decisions of other images.
        TeacherError: the teacher failed for good.

    Cost: one query an image that was not answered before.
    """
    seen = as_seen(images, teacher.spec)
    name, identity = f"{stage}.safetensors", identity_of(teacher, seen.digest)
    kept = _kept_decisions(run, name, identity)
    if kept is not None:
        return kept
    with asking(run, teacher, budget, stage, held_out=held_out) as oracle, run.journal(stage, identity) as journal:
        ask = Remembering(oracle, journal)
        answers = []
        progress(stage, 0, len(seen), "images")
        for rows in torch.arange(len(seen)).split(_IMAGES_PER_STEP):
            answers.append(ask(seen.images(rows)))
            progress(stage, sum(map(len, answers)), len(seen), "images")
    decisions = torch.cat(answers)
    keep_decisions(run, teacher, images, decisions, stage=stage)
    run.drop_journal(stage)
    return decisions


def keep_decisions(
    run: Run, teacher: Teacher, images: Dataset, decisions: Int[Tensor, " n"], *, stage: str = "decisions"
) -> None:
    """Keep classes that were bought, where `decide` finds them and asks for none again.

    Args:
        run: keeps them under the stage's name.
        teacher: decided.
        images: the n images.
        decisions: its class of each of them.
        stage: whose they are.

    Raises:
        RunMismatch: the run holds the decisions of other images.
    """
    identity = identity_of(teacher, as_seen(images, teacher.spec).digest)
    if _kept_decisions(run, f"{stage}.safetensors", identity) is not None:
        return
    header = {
        "identity": identity.hex(),
        "images": images.digest,
        "abstained": str(int((decisions == teacher.spec.num_classes).sum())),
        "images_per_shard": str(images_per_shard(images.image_shape, teacher.spec.num_classes)),
    }
    run.put(f"{stage}.safetensors", pack({"decisions": decisions}, header, kind=_DECISIONS))


def kept_decisions(run: Run, stage: str, images: Dataset) -> Int[Tensor, " n"] | None:
    """Read what the teacher said in a stage that is finished.

    Args:
        run: remembers the answers.
        stage: whose.
        images: what it was asked about.

    Returns:
        A class per image; None where the run holds no such answers.

    Raises:
        ArtifactError: the file was edited or truncated.
        RunMismatch: the answers belong to other images.

    Cost: none.
    """
    read = _read_decisions(run, f"{stage}.safetensors")
    if read is None:
        return None
    tensors, header = read
    if header.get("images") != images.digest:
        raise RunMismatch(
            f"{run.folder / stage}.safetensors holds decisions of other images than {images.name}; nothing was done: "
            "they were made by another version or changed by hand"
        )
    return tensors["decisions"]


def count_decided(run: Run) -> tuple[int, int] | None:
    """Tell how many images have a class of the teacher's, and in how many shards; None where that is not finished."""
    read = _read_decisions(run, "decisions.safetensors")
    if read is None:
        return None
    tensors, header = read
    images = len(tensors["decisions"]) - int(header.get("abstained", "0"))
    return images, -(-images // int(header["images_per_shard"]))


def has_held_out(run: Run) -> bool:
    """Tell whether a run holds the teacher's classes of held-out images."""
    return run.has("held-out.safetensors")


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


@contextmanager
def asking(
    run: Run, teacher: Teacher, budget: Budget, stage: str, *, held_out: bool = False
) -> Iterator[Oracle | Recalling]:
    """Give an oracle on the run's account for a stage; what was leased too much is given back at the end.

    Args:
        run: holds the ledger.
        teacher: decides.
        budget: what may be spent.
        stage: who spends.
        held_out: whether it is booked apart from the budget.

    Yields:
        The oracle; in a run that keeps answers, one that asks only what was never asked before.
    """
    with run.ledger().account(stage, limits=budget.limits(stage), block=_LEASE, held_out=held_out) as account:
        oracle = Oracle(teacher, account)
        try:
            if not run.answers_path.exists():
                yield oracle
                return
            with Answers(run.answers_path, describe(teacher.spec)) as answers:
                yield Recalling(oracle, answers)
        finally:
            if oracle.usage.repeated:
                _log.warning(
                    "%s: %d rows were charged again, since a call whose answer did not come may have been served",
                    stage,
                    oracle.usage.repeated,
                )


def record(run: Run, teacher: Teacher, earlier: Sequence[Path] = ()) -> int:
    """Have a run keep all answers from now on, and use those of earlier runs without paying for them again.

    Args:
        run: keeps them in `answers.sqlite`.
        teacher: whose answers they are.
        earlier: directories of recorded runs of the same teacher.

    Returns:
        How many answers were taken over.

    Raises:
        RunMismatch: an earlier run is one of another teacher.
        ArtifactError: an earlier run was not recorded.
        RunError: another process is writing this run.
    """
    run.hold()
    with Answers(run.answers_path, describe(teacher.spec)) as answers:
        return sum(answers.take_over(folder / run.answers_path.name) for folder in earlier)


def identity_of(teacher: Teacher, *what: str) -> bytes:
    """Tell by a digest what answers belong to: a teacher, and what it was asked about."""
    return hashlib.sha256(json.dumps([teacher.spec.fingerprint, *what]).encode()).digest()


def check_made_for(file: Path, header: Mapping[str, str], identity: bytes) -> None:
    """Refuse a shard that was made for something else than what is asked for now.

    Args:
        file: the shard.
        header: what it says of itself.
        identity: what it should have been made for.

    Raises:
        RunMismatch: it was made by another plan, teacher or version.
    """
    if header["identity"] != identity.hex():
        raise RunMismatch(
            f"{file} was made by another plan, teacher or version; nothing was asked: put the right file back, or "
            "delete it and run again: only its queries are paid again"
        )


def _kept_decisions(run: Run, name: str, identity: bytes) -> Int[Tensor, " n"] | None:
    """The decisions that a run holds, if they are of these images."""
    read = _read_decisions(run, name)
    if read is None:
        return None
    tensors, header = read
    if header["identity"] != identity.hex():
        raise RunMismatch(
            f"{run.folder / name} holds decisions of other images or of another teacher; nothing was asked: "
            "use another run directory"
        )
    return tensors["decisions"]


def _read_decisions(run: Run, name: str) -> tuple[dict[str, Tensor], dict[str, str]] | None:
    kept = run.get(name)
    if kept is None:
        return None
    way_out = "delete it and run again: it is paid again"
    return unpack(kept, kind=_DECISIONS, origin=str(run.folder / name), way_out=way_out)


def as_seen(images: Dataset, spec: TeacherSpec) -> Dataset:
    """Give the images as the teacher sees them: on its levels, so that what is measured from is what was asked."""
    if spec.levels is None or (spec.levels == _BYTE and images.pixels.dtype == torch.uint8):
        return images
    return replace(images, pixels=spec.admit(images.images()))
