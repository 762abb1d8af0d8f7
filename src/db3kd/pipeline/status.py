"""What of a run is done, spent and left: derived from its files, never stored.

Looking takes no lock and asks no teacher, so it works beside the process that writes. Called by `db3kd status`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from db3kd.ledger import Statement
from db3kd.pipeline.asking import count_decided, has_held_out
from db3kd.pipeline.ensembles import LAST, has_begun
from db3kd.pipeline.exploring import EXPLORE, count_rounds
from db3kd.pipeline.labelling import TRANSFER
from db3kd.pipeline.noising import NOISE, count_shards
from db3kd.pipeline.priming import PRIMER
from db3kd.pipeline.repeating import Repeats, kept_repeats
from db3kd.pipeline.story import Budget
from db3kd.pipeline.synthesized import IMAGES
from db3kd.pipeline.synthesizing import REPULSION
from db3kd.pipeline.telling import REPORT
from db3kd.pipeline.timing import seconds_until_now
from db3kd.pipeline.trusting import TRUST
from db3kd.runs import Run

State = Literal["done", "begun", "not begun"]


@dataclass(frozen=True)
class StageStatus:
    """How far a stage is.

    Args:
        stage: its name.
        state: whether its file is there, or something that leads to it.
        done: how much is done, where that is counted.
        total: of how much, where that is known.
        unit: of what.
    """

    stage: str
    state: State
    done: int | None = None
    total: int | None = None
    unit: str = ""


@dataclass(frozen=True)
class Status:
    """How far a run is.

    Args:
        stages: in the order in which they are done.
        statement: what was spent.
        left: what the budget leaves, of the whole run ("total") and of each stage that has a limit.
        seconds: wall time of the sessions that ended by themselves, and of one that is at work.
        repeats: how constant the teacher was; None where that is not known.
    """

    stages: tuple[StageStatus, ...]
    statement: Statement
    left: Mapping[str, int]
    seconds: float
    repeats: Repeats | None = None


@dataclass(frozen=True)
class Rounded:
    """An exploration that a run was asked for.

    Args:
        sizes: the queries of its rounds.
        told: whether a student and a report belong to it.
        held_out: whether the student is measured on held-out images.
    """

    sizes: tuple[int, ...]
    told: bool
    held_out: bool = False


def look(
    run: Run, *, budget: Budget, networks: Mapping[str, int], asks: bool, exploration: Rounded | None = None
) -> Status:
    """Tell how far a run is.

    Args:
        run: is looked at.
        budget: what may be spent.
        networks: the networks that it trains, by their names in the run, with their epochs.
        asks: whether it buys decisions and distances of a teacher.
        exploration: the rounds by which it makes its images, or None.

    Returns:
        Its status.

    Raises:
        ArtifactError: a file of the run was edited or truncated.

    Cost: none.
    """
    statement = run.statement()
    told = exploration is not None and exploration.told
    stages = [_exploring_stage(run, exploration)] if exploration is not None else []
    if asks and not told:
        stages += _asking_stages(run)
    stages += _training_stages(run, networks)
    if told:
        stages.append(StageStatus("trust", "done" if run.has(TRUST) else "not begun"))
    if exploration is not None and exploration.held_out:
        stages.append(StageStatus("held-out", "done" if has_held_out(run) else "not begun"))
    if asks:
        stages.append(StageStatus("report", "done" if run.has(REPORT) else "not begun"))
    left = {name: limit - statement.by_stage.get(name, 0) for name, limit in budget.stages.items()}
    if exploration is not None and stages[0].state != "done":
        planned = sum(exploration.sizes) - statement.by_stage.get(EXPLORE, 0)
        left[EXPLORE] = min(planned, left.get(EXPLORE, planned))
    if budget.total is not None:
        left = {"total": budget.total - statement.total} | left
    left = {name: max(0, rest) for name, rest in left.items()}
    return Status(tuple(stages), statement, left, seconds_until_now(run), kept_repeats(run))


def _exploring_stage(run: Run, exploration: Rounded) -> StageStatus:
    """How many rounds are asked; they may have ended before all of them, which shows in what follows them."""
    rounds, planned = count_rounds(run), len(exploration.sizes)
    ended = rounds >= planned or run.has(TRUST) or run.has(IMAGES) or has_begun(run, LAST)
    begun = rounds or any(run.folder.glob(f"{EXPLORE}-*.journal"))
    return StageStatus(EXPLORE, "done" if ended else "begun" if begun else "not begun", rounds, planned, "rounds")


def _asking_stages(run: Run) -> tuple[StageStatus, ...]:
    images, shards = count_decided(run) or (None, None)
    bought, decided = run.has(TRANSFER), run.has("decisions.safetensors")
    finished = len(run.shards.finished())
    if decided or bought:
        decisions = StageStatus("decisions", "done", images, images, "images")
    else:
        begun = (run.folder / "decisions.journal").exists()
        decisions = StageStatus("decisions", "begun" if begun else "not begun", unit="images")
    if bought:
        label = StageStatus("label", "done", finished, finished, "shards")
    else:
        begun = bool(finished or run.shards.begun())
        label = StageStatus("label", "begun" if begun else "not begun", finished, shards, "shards")
    return (*_synthesis_stages(run), decisions, *_primer_stage(run), label)


def _synthesis_stages(run: Run) -> tuple[StageStatus, ...]:
    """Noise and its repulsion, where images are made in the run."""
    asked, journal = run.has(f"{NOISE}.safetensors"), (run.folder / f"{NOISE}.journal").exists()
    if not asked and not journal:
        return ()
    shards = run.shards_of(REPULSION)
    finished, made = len(shards.finished()), run.has(IMAGES)
    pushed: State = "done" if made else "begun" if finished or shards.begun() else "not begun"
    return (
        StageStatus(NOISE, "done" if asked else "begun"),
        StageStatus(REPULSION, pushed, finished, count_shards(run), "shards"),
    )


def _primer_stage(run: Run) -> tuple[StageStatus, ...]:
    """The mixtures that primers learn from, where there are any."""
    if run.has(f"{PRIMER}.safetensors"):
        return (StageStatus(PRIMER, "done"),)
    return (StageStatus(PRIMER, "begun"),) if (run.folder / f"{PRIMER}.journal").exists() else ()


def _training_stages(run: Run, networks: Mapping[str, int]) -> list[StageStatus]:
    epochs = {str(line["student"]): int(str(line["epoch"])) for line in run.lines()}
    stages = []
    for name, total in networks.items():
        done = epochs.get(name, 0)
        state: State = "done" if run.has(f"{name}.safetensors") else "begun" if done else "not begun"
        stages.append(StageStatus(f"train {name}", state, done, total, "epochs"))
    return stages
