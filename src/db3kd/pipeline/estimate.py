"""What a run will cost, told beforehand: the queries of each stage, at most, and the teacher's speed.

Nothing here spends a run's budget and nothing is written: the few rows that measure the speed are booked in a ledger
of their own. Called by `db3kd run --dry-run`.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass

import torch

from db3kd.data import Dataset
from db3kd.execution import Labelling
from db3kd.ledger import Ledger
from db3kd.oracle import Oracle
from db3kd.pipeline.asking import has_held_out, images_per_shard
from db3kd.pipeline.exploring import EXPLORE, Exploring, count_rounds
from db3kd.pipeline.labelling import TRANSFER
from db3kd.pipeline.noising import NOISE, images_per_push
from db3kd.pipeline.priming import PRIMER, mixtures_for
from db3kd.pipeline.repeating import REPEATS, kept_repeats
from db3kd.pipeline.story import Budget, Story
from db3kd.pipeline.synthesized import IMAGES
from db3kd.pipeline.synthesizing import REPULSION, Pushing
from db3kd.pipeline.trusting import TRUST
from db3kd.runs import Run
from db3kd.runs.identity import check_teacher, merge_plans
from db3kd.runs.records import read_object
from db3kd.teachers import Teacher, TeacherSpec

_CALLS = 4
_SECONDS = 2.0


@dataclass(frozen=True)
class StageEstimate:
    """What one stage will ask.

    Args:
        stage: its name.
        most: queries of the whole stage, at most.
        ahead: the part that may still be asked; 0 where it is done.
        held_out: whether it is booked apart from the budget.
    """

    stage: str
    most: int
    ahead: int
    held_out: bool = False


@dataclass(frozen=True)
class Speed:
    """How fast a teacher answers.

    Args:
        rows_per_second: in full calls.
        asked: queries that the measurement took; they were booked apart from any budget.
    """

    rows_per_second: float
    asked: int


def check_run(run: Run, plan: Mapping[str, object], fingerprint: str) -> None:
    """Refuse what a run would refuse, without writing anything.

    Args:
        run: the run that is to go on, or that is not there yet.
        plan: sections of values.
        fingerprint: of the teacher.

    Raises:
        RunMismatch: another plan or another teacher made the run.
    """
    merge_plans(run.plan() or {}, plan, run.folder)
    teacher = read_object(run.folder / "teacher.json", "put the right file back, or use another run directory")
    if teacher is not None:
        check_teacher(str(teacher.get("fingerprint")), fingerprint, run.folder)


def estimate(run: Run, story: Story, *, made: int | None = None) -> tuple[StageEstimate, ...]:
    """Tell how many queries the stages of a story will ask.

    Args:
        run: what is finished in it is not asked again.
        story: what is to be done.
        made: so many images, at most, where they are made with their classes; None where the story has them.

    Returns:
        The stages that ask, in their order. The answers in the journals of unfinished stages are not asked again
        either, and not subtracted here.

    Cost: none.
    """
    images, bought = len(story.images) if made is None else made, run.has(TRANSFER)
    per_image = (story.teacher.spec.num_classes - 1) * _most_queries(story.labelling)
    finished = run.shards.finished()
    shard = images_per_shard(story.images.image_shape, story.teacher.spec.num_classes)
    sizes = [len(part) for part in torch.arange(images).split(shard)]
    unlabelled = sum(size for index, size in enumerate(sizes) if index not in finished)
    stages = [StageEstimate("label", images * per_image, 0 if bought else unlabelled * per_image)]
    if made is None:
        decided = bought or run.has("decisions.safetensors")
        stages.insert(0, StageEstimate("decisions", images, 0 if decided else images))
    if story.priming is not None:
        mixed = mixtures_for(images, story.priming)
        stages.insert(-1, StageEstimate(PRIMER, mixed, 0 if bought or run.has(f"{PRIMER}.safetensors") else mixed))
    stages += _repeats(run, story.budget, images, done=bought)
    return (*stages, *_held_out(run, story.held_out))


def estimate_exploring(
    run: Run, exploring: Exploring, held_out: Dataset | None = None, *, budget: Budget | None = None
) -> tuple[StageEstimate, ...]:
    """Tell how many queries a story without images will ask.

    Args:
        run: the rounds that are finished in it are not asked again.
        exploring: what is to be done.
        held_out: what the student is measured on, if anything.
        budget: says how many images are asked a second time, where its total leaves queries for them; None for none.

    Returns:
        The stages that ask, at most: rounds that gain nothing end before, and may leave some for a second question.
        What is in the journal of an unfinished round is not asked again either, and not subtracted here.

    Cost: none.
    """
    done = run.has(TRUST) or run.has(IMAGES)
    ahead = sum(exploring.rounds.sizes(exploring.queries)[count_rounds(run) :])
    stages = [StageEstimate(EXPLORE, exploring.queries, 0 if done else ahead)]
    if budget is not None and budget.total is not None:
        left = budget.total - min(exploring.queries, budget.stages.get(EXPLORE, exploring.queries))
        # All of them or none.
        again = _repeats(run, budget, exploring.queries, done=run.has(TRUST))
        stages += [stage for stage in again if stage.most <= left]
    return (*stages, *_held_out(run, held_out))


def _repeats(run: Run, budget: Budget, images: int, *, done: bool) -> tuple[StageEstimate, ...]:
    asked = min(budget.repeats, images)
    return (StageEstimate(REPEATS, asked, 0 if done or kept_repeats(run) else asked),) if asked else ()


def _held_out(run: Run, images: Dataset | None) -> tuple[StageEstimate, ...]:
    if images is None:
        return ()
    ahead = 0 if has_held_out(run) else len(images)
    return (StageEstimate("held-out", len(images), ahead, held_out=True),)


def estimate_pushing(run: Run, pushing: Pushing, spec: TeacherSpec) -> tuple[StageEstimate, ...]:
    """Tell how many queries a synthesis by repulsion will ask.

    Args:
        run: what is finished in it is not asked again.
        pushing: what is to be done.
        spec: of the teacher.

    Returns:
        The stages that ask, in their order. What is in the journals of unfinished stages is not asked again either, and
        not subtracted here.

    Cost: none.
    """
    made, asked = run.has(IMAGES), run.has(f"{NOISE}.safetensors")
    noise = pushing.noise.rounds * pushing.noise.per_round(spec.num_classes)
    each = pushing.repulsion.most_queries
    pushed = len(run.shards_of(REPULSION).finished()) * images_per_push(spec)
    ahead = 0 if made else max(0, pushing.starts(spec.num_classes) - pushed) * each
    stages = [
        StageEstimate(NOISE, noise, 0 if made or asked else noise),
        StageEstimate(REPULSION, pushing.starts(spec.num_classes) * each, ahead),
    ]
    if pushing.priming is not None:
        mixed, name = mixtures_for(noise, pushing.priming), pushing.priming.name
        stages.insert(1, StageEstimate(name, mixed, 0 if made or run.has(f"{name}.safetensors") else mixed))
    return tuple(stages)


def measure_speed(teacher: Teacher, images: Dataset) -> Speed:
    """Ask a teacher for a few full calls.

    Args:
        teacher: answers.
        images: what it is asked about.

    Returns:
        Its speed, without the first call, which is often slower than all others.

    Raises:
        TeacherError: it failed.

    Cost: at most five calls of `teacher.spec.max_batch` rows, on a held-out account that no budget limits.
    """
    rows = torch.arange(teacher.spec.max_batch) % len(images)
    batch = images.images(rows)
    with Ledger(None) as ledger, ledger.account("speed", held_out=True) as account:
        oracle = Oracle(teacher, account)
        oracle(batch)
        first, started = oracle.usage, time.monotonic()
        for _ in range(_CALLS):
            oracle(batch)
            if time.monotonic() - started > _SECONDS:
                break
        seconds = oracle.usage.seconds - first.seconds
        return Speed((oracle.usage.rows - first.rows) / max(seconds, 1e-9), account.spent)


def _most_queries(labelling: Labelling) -> int:
    # Only "asks nothing" is a bound for every image: what else a method can use holds for most of them.
    return 0 if labelling.method.most_queries == 0 else labelling.queries_per_pair
