"""What a run is asked to do, as objects: nothing here reads a plan's strings, and nothing here acts.

Made by `db3kd.plan`, by the Python API and by benchmarks; read by the stages beside it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol, runtime_checkable

from db3kd.data import Dataset
from db3kd.execution import Labelling
from db3kd.ledger import Limits
from db3kd.teachers import Teacher
from db3kd.training import Recipe

SofteningRule = Literal["proportional", "relative", "inverse", "smoothed", "primers"]
Beside = Literal["mixtures", "probes"]
# At which each rule makes probabilities, and at which the student is compared with them.
TEMPERATURES: Mapping[SofteningRule, tuple[float, float]] = {
    "proportional": (20.0, 20.0),
    "relative": (0.5, 1.0),
    "inverse": (20.0, 20.0),
    "smoothed": (20.0, 20.0),
    "primers": (20.0, 20.0),
}


# So many images make primers that know more than a student would find out from the same decisions.
ENOUGH_FOR_PRIMERS = 20_000


def best_softening(*, primed: bool, images: int) -> SofteningRule:
    """Choose the rule that has made the best students.

    Args:
        primed: whether there are primers.
        images: how many images were bought.

    Returns:
        What primers think, where they learned from many images; else smoothed decisions.
    """
    return "primers" if primed and images >= ENOUGH_FOR_PRIMERS else "smoothed"


Baseline = Literal["true-labels", "hard-decisions"]


@dataclass(frozen=True)
class Budget:
    """How many queries may be spent, and what they cost.

    Args:
        total: by all stages together, or None for no limit; evaluation is not among them.
        stages: by single stages, such as "label".
        price_per_1000: money for 1,000 queries, in any currency, or None.
        repeats: images to ask a second time when all else is bought, to see whether the teacher is constant.
    """

    total: int | None = None
    stages: Mapping[str, int] = field(default_factory=dict)
    price_per_1000: float | None = None
    repeats: int = 0

    def limits(self, stage: str) -> Limits:
        """Give the limits that an account of a stage is opened with."""
        return Limits(run=self.total, stage=self.stages.get(stage))


@dataclass(frozen=True)
class Priming:
    """Where primers come from.

    Args:
        recipe: how they learn; None for one that suits the number of answers.
        architecture: as `db3kd.models.build` takes it; the teacher's size, where it is known, does well.
        networks: how many of them learn from the same answers.
        mixtures_per_image: mixtures and noisy images to ask about, per image.
        subspace: directions of their gradients to ask in.
        seed: of the mixtures, the weights and the order of the images.
        name: tells the primers of one stage from those of another in the same run, and what they spend.
    """

    recipe: Recipe | None = None
    architecture: str = "lenet5"
    networks: int = 4
    mixtures_per_image: float = 2.0
    subspace: int = 100
    seed: int = 0
    name: str = field(default="primer", repr=False)


@dataclass(frozen=True)
class Distillation:
    """How students learn from what was bought; none of it costs a query.

    Args:
        student: architecture, as `db3kd.models.build` takes it.
        recipe: optimizer, rate, epochs, batch.
        softening: "primers" takes the gaps between the logits of primers, who learned from decisions alone; "smoothed"
            looks at the decision and no distance; "proportional" takes distances for gaps between logits, "relative"
            takes them in units of the row's nearest, "inverse" is the paper's rule. The first two have made the best
            students (records/2026-11-23-students).
        softening_temperature: at which distances become probabilities; the paper's 20 belongs to its own rule.
        temperature: at which the student's logits are compared with them; the paper uses 20 for both.
        beside: answers on other images that it learns from too: the mixtures that primers learned from, the probes that
            a search kept. An epoch is as long as without them.
        hard_weight: of the cross-entropy with the class.
        soft_weight: of the divergence from the soft label.
        classes: the class of an image is the teacher's decision, or the data set's own label as in the paper.
        queries_per_pair: learn from the distances of this snapshot instead of the last ones.
        seed: of the initial weights and of the order of the images.
        baselines: students trained beside it on the same images.
    """

    student: str
    recipe: Recipe
    softening: SofteningRule = "smoothed"
    softening_temperature: float = 20.0
    temperature: float = 20.0
    beside: tuple[Beside, ...] = ()
    hard_weight: float = 1.0
    soft_weight: float = 1.0
    classes: Literal["decisions", "true"] = "decisions"
    queries_per_pair: int | None = None
    seed: int = 0
    baselines: tuple[Baseline, ...] = ("true-labels", "hard-decisions")

    def softened_by(self, rule: SofteningRule) -> "Distillation":
        """Take another rule, at the temperatures that belong to it."""
        at, compared_at = TEMPERATURES[rule]
        return replace(self, softening=rule, softening_temperature=at, temperature=compared_at)


@dataclass(frozen=True)
class Story:
    """One whole run.

    Args:
        teacher: decides.
        images: what the student learns from.
        held_out: what the student is measured on, or None.
        labelling: how distances are bought.
        distillation: how the student learns from them.
        budget: what may be spent.
        priming: where primers come from, which guide a guided search and may teach a student; None for none.
        teacher_name: how the report calls the teacher.
        teacher_parameters: number of the teacher's weights, where it is known.
        device: where students are trained and searches run.
    """

    teacher: Teacher
    images: Dataset
    held_out: Dataset | None
    labelling: Labelling
    distillation: Distillation
    budget: Budget = field(default_factory=Budget)
    priming: Priming | None = None
    teacher_name: str = ""
    teacher_parameters: int | None = None
    device: str = "cpu"


@runtime_checkable
class Progress(Protocol):
    """Hears how far a stage is."""

    def __call__(self, stage: str, done: int, total: int, unit: str) -> None:
        """Take note.

        Args:
            stage: which stage, or which student in training.
            done: how much of it is done.
            total: how much there is.
            unit: of what.
        """
        ...


def silent(stage: str, done: int, total: int, unit: str) -> None:
    """Hear nothing."""
