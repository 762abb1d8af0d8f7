"""How far a student that was made without data can be trusted: measured, kept in the run, and put into the report.

It is measured on answers that were kept apart from all training (`db3kd.evaluation.apart`). Called by the stages that
make such students.
"""

import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import torch
from torch import nn

from db3kd.evaluation import ApartScore, Gain, measure_apart, never_decided, predict
from db3kd.pipeline.exploring import Explored, Exploring
from db3kd.pipeline.story import Progress, silent
from db3kd.pipeline.synthesized import PICTURE
from db3kd.report.exploration import Agreement, Exploration, RoundGain
from db3kd.runs import Run
from db3kd.synthesis.answers import KINDS

TRUST = "trust.json"
_FORMAT = "db3kd-trust-1"
_SHOWN = 8

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Trust:
    """How far a student that was made without data can be trusted.

    Args:
        score: its agreement with answers that no training saw.
        gains: how the ensemble's agreement grew, round by round.
        stopped_early: whether the rounds ended since they no longer gained.
        queries: asked in all.
        class_histogram: the teacher's answers by class.
        never_decided: classes that never came: the student cannot know them.
    """

    score: ApartScore
    gains: tuple[Gain, ...]
    stopped_early: bool
    queries: int
    class_histogram: tuple[int, ...]
    never_decided: tuple[int, ...]


def measure_trust(explored: Explored, student: nn.Module, *, device: str = "cpu") -> Trust:
    """Say how far a student can be trusted, on answers that were kept apart.

    Args:
        explored: all answers.
        student: the network.
        device: where it is asked.

    Returns:
        Shares of 1 and counts.

    Cost: none.
    """
    answers = explored.answers
    rows = answers.apart().nonzero()[:, 0]
    decisions = answers.decisions[rows]
    said = predict(student, answers.questions.pixels[rows], device=device) if len(rows) else decisions
    score = measure_apart(
        said, decisions, answers.questions.kinds[rows], num_classes=answers.num_classes, kind_names=KINDS
    )
    histogram = answers.histogram()
    return Trust(
        score=score,
        gains=explored.gains,
        stopped_early=explored.stopped_early,
        queries=len(answers),
        class_histogram=tuple(histogram.tolist()),
        never_decided=never_decided(histogram),
    )


def write_trust(
    run: Run, explored: Explored, student: nn.Module, *, device: str = "cpu", progress: Progress = silent
) -> Trust:
    """Measure how far a student can be trusted, and keep it as `trust.json`.

    Args:
        run: keeps it.
        explored: all answers.
        student: the network.
        device: where it is asked.
        progress: hears that it is done.

    Returns:
        What was written.

    Cost: none.
    """
    trust = measure_trust(explored, student, device=device)
    run.put(TRUST, json.dumps({"format": _FORMAT, **asdict(trust)}, indent=2).encode())
    progress("trust", 1, 1, "students")
    return trust


def describe_exploration(trust: Trust, exploring: Exploring) -> Exploration:
    """Put what is known of a student without a test set into the report's words.

    Args:
        trust: what was measured.
        exploring: what was asked for.

    Returns:
        The figures for the report.
    """
    score = trust.score
    return Exploration(
        method=exploring.method,
        queries=trust.queries,
        planned=exploring.queries,
        stopped_early=trust.stopped_early,
        class_histogram=trust.class_histogram,
        never_decided=trust.never_decided,
        apart=score.images,
        agreement=score.agreement,
        lower=score.lower,
        upper=score.upper,
        mean_over_classes=score.mean_over_classes,
        classes=tuple(
            Agreement(name=str(one.label), images=one.decided or 0, agreement=one.agreement) for one in score.classes
        ),
        kinds=tuple(Agreement(name=one.kind, images=one.images, agreement=one.agreement) for one in score.kinds),
        gains=_told(trust.gains),
    )


def put_samples(run: Run, explored: Explored) -> None:
    """Draw some of the made images of each class, where the extra `report` is installed.

    Args:
        run: keeps `synthesis.png`.
        explored: the images, and how the ensemble's agreement grew.

    Cost: none.
    """
    try:
        # Here and not above: the extra is optional, and matplotlib takes half a second.
        from db3kd.report.strips import draw_samples
    except ImportError as error:
        _log.info("no picture was drawn, since %s is missing: pip install 'db3kd[report]'", error.name)
        return
    answers, names, samples = explored.answers, [], []
    for label in range(answers.num_classes):
        rows = (answers.decisions == label).nonzero()[:, 0]
        # Spread over the rounds: the first answers are those of the opening.
        shown = rows[torch.linspace(0, len(rows) - 1, min(_SHOWN, len(rows))).long()]
        samples.append(answers.questions.take(shown).images())
        names.append(str(label) if len(rows) else f"{label} (never)")
    run.put(PICTURE, draw_samples(samples, names, _told(explored.gains)))


def _told(gains: Sequence[Gain]) -> tuple[RoundGain, ...]:
    """The same in the report's words."""
    return tuple(RoundGain.model_validate(asdict(gain)) for gain in gains)
