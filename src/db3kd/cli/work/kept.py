"""What a run already holds, as the commands need it: its sections, its transfer set.

Called by the commands beside this module.
"""

from collections.abc import Mapping
from pathlib import Path

from db3kd.cli.display import remark
from db3kd.data import Dataset
from db3kd.errors import RunError
from db3kd.pipeline.asking import keep_decisions, record
from db3kd.pipeline.labelling import TRANSFER
from db3kd.pipeline.repeating import Repeats, warnings_of
from db3kd.plan import Sections, parse_sections
from db3kd.plan.schema import BudgetSection, ImagesSection
from db3kd.plan.synthesis import known_classes
from db3kd.runs import Run
from db3kd.teachers import Teacher
from db3kd.transfer import TransferSet, transfer_from_bytes


def kept_sections(run: Run) -> Sections:
    """Read the plan of a run as far as it goes.

    Args:
        run: the run.

    Returns:
        Its sections; none where it is new.

    Raises:
        PlanError: its plan was edited into something impossible.
        ArtifactError: its plan was edited into something else.
    """
    return parse_sections(run.plan() or {}, str(run.folder / "plan.toml"))


def with_kept_budget(run: Run, asked: Mapping[str, object]) -> Sections:
    """Read sections that options give; a budget that was given once holds until another one is given.

    Args:
        run: the run, whose budget may be known.
        asked: the sections.

    Returns:
        The sections with the budget that holds.

    Raises:
        PlanError: an option says something impossible.
    """
    given = asked.get("budget", {})
    assert isinstance(given, dict)
    kept = kept_sections(run).budget
    before = {} if kept is None else kept.model_dump(exclude_none=True)
    budget = {"budget": before | given} if before or given else {}
    return parse_sections({**asked, **budget}, "what the options say")


def kept_transfer(run: Run) -> TransferSet:
    """Read the transfer set of a run.

    Args:
        run: the run.

    Returns:
        What it has bought.

    Raises:
        RunError: there is none yet.
        ArtifactError: it was edited or truncated.
    """
    data = run.get(TRANSFER)
    if data is None:
        raise RunError(
            f"{run.folder} holds no {TRANSFER} yet; nothing was done: finish `db3kd label --run {run.folder}` first"
        )
    return transfer_from_bytes(data, str(run.folder / TRANSFER))


def keep_answers(run: Run, teacher: Teacher, budget: BudgetSection) -> None:
    """Have a run keep its answers by question, where it was asked for, and use those of earlier runs.

    Args:
        run: the run.
        teacher: whose answers they are.
        budget: says whether, and names the earlier runs.
    """
    if budget.record or budget.answers:
        taken = record(run, teacher, [Path(folder) for folder in budget.answers])
        if taken:
            remark(f"{taken:,} answers of earlier runs are used and not paid again")


def warn_of_changes(repeats: Repeats | None) -> None:
    """Say at the end of a command that the teacher is not constant, where a run found that out.

    Args:
        repeats: what it found; None where it did not look.
    """
    for warning in warnings_of(repeats):
        remark(f"warning: {warning}")


def keep_known_classes(run: Run, teacher: Teacher, section: ImagesSection, images: Dataset) -> None:
    """Have a run find the classes of images that another run has made, and bought with them.

    Args:
        run: the run.
        teacher: whose classes they are.
        section: names the images.
        images: what it led to.

    Raises:
        RunMismatch: the run holds decisions of other images.
    """
    known = known_classes(section, images, teacher.spec.fingerprint)
    if known is not None:
        keep_decisions(run, teacher, images, known)


def existing(folder: Path) -> Run:
    """Open a run that must be there.

    Args:
        folder: its directory.

    Returns:
        The run.

    Raises:
        RunError: there is none.
    """
    if not folder.is_dir():
        raise RunError(f"there is no run in {folder}; nothing was done: name the directory given to --run")
    return Run(folder)
