"""Some images are asked a second time, so that a run notices by itself whether its teacher is constant.

Elsewhere no answer of a run can contradict another one: what was paid is not asked again. So a few rows are spent on it
after the search, when a teacher that was exchanged meanwhile shows as well. Called by `db3kd.pipeline.label` and by
whatever shows a run.
"""

import logging
from dataclasses import dataclass

from db3kd.data import Dataset
from db3kd.data.dataset import draw
from db3kd.errors import BudgetExhausted, TeacherError
from db3kd.execution import Remembering
from db3kd.oracle import Oracle
from db3kd.pipeline.asking import as_seen, identity_of
from db3kd.pipeline.story import Budget
from db3kd.runs import Run
from db3kd.teachers import Teacher
from db3kd.tensorfile import pack, unpack
from db3kd.tensors import Int, Tensor

_log = logging.getLogger(__name__)

REPEATS = "repeats"
_FILE = f"{REPEATS}.safetensors"
_KIND = "db3kd-repeats-1"


@dataclass(frozen=True)
class Repeats:
    """How constant a teacher is.

    Args:
        asked: images that were asked a second time.
        changed: how many of them got another answer than before.
    """

    asked: int
    changed: int

    @property
    def warning(self) -> str | None:
        """What a user has to know of it; None where no answer changed."""
        if not self.changed:
            return None
        return (
            f"the teacher is not constant: {self.changed} of {self.asked} images got another answer when they were "
            "asked a second time, so all that was bought means less; db3kd check-teacher tells whether it is the batch"
        )


def warnings_of(repeats: Repeats | None) -> tuple[str, ...]:
    """Tell what a user has to know of what a run found.

    Args:
        repeats: what it found; None where it did not look.

    Returns:
        A sentence; none where no answer changed.
    """
    return () if repeats is None or repeats.warning is None else (repeats.warning,)


def repeat(
    run: Run, teacher: Teacher, images: Dataset, decisions: Int[Tensor, " n"], *, budget: Budget
) -> Repeats | None:
    """Ask some images a second time, once in a run; answers that were recorded do not count here.

    Args:
        run: remembers what came.
        teacher: decides.
        images: that it was asked about.
        decisions: what it said of each of them.
        budget: says how many images, and what may be spent.

    Returns:
        What was found; None where nothing was asked: the budget does not reach for it, or the teacher does not answer.
        That is told and harms nothing else, since all that is needed is bought by then.

    Raises:
        ArtifactError: what the run holds of it was edited or truncated.

    Cost: one query an image.
    """
    kept = kept_repeats(run)
    if kept is not None or not budget.repeats:
        return kept
    chosen = draw(images.ids, budget.repeats, seed=0)
    some = as_seen(images.subset(chosen), teacher.spec)
    identity = identity_of(teacher, some.digest)
    # How many is no part of a run's identity: another number, after a kill, must not meet these answers.
    journal_name = f"{REPEATS}-{len(some)}"
    try:
        with (
            run.ledger().account(REPEATS, limits=budget.limits(REPEATS), block=len(some)) as account,
            run.journal(journal_name, identity) as journal,
        ):
            again = Remembering(Oracle(teacher, account), journal)(some.images())
    except (BudgetExhausted, TeacherError) as error:
        _log.info("whether the teacher is constant was not found out: %s", error)
        return None
    answers = {"rows": chosen, "first": decisions[chosen], "second": again}
    run.put(_FILE, pack(answers, {"identity": identity.hex()}, kind=_KIND))
    run.drop_journal(journal_name)
    return kept_repeats(run)


def kept_repeats(run: Run) -> Repeats | None:
    """Read what a run found out of its teacher.

    Args:
        run: the run.

    Returns:
        How constant it was; None where that is not known.

    Raises:
        ArtifactError: the file was edited or truncated.

    Cost: none.
    """
    kept = run.get(_FILE)
    if kept is None:
        return None
    way_out = "delete it and run again: these few images are asked again"
    answers, _ = unpack(kept, kind=_KIND, origin=str(run.folder / _FILE), way_out=way_out)
    return Repeats(len(answers["first"]), int((answers["first"] != answers["second"]).sum()))
