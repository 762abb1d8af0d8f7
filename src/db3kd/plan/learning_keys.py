"""The plan's sections about networks that learn: the recipe's keys, and who learns by them.

Turning them into objects is the business of `opening`.
"""

from typing import Annotated, Literal

from pydantic import Field, PositiveInt

from db3kd.plan.section import Count, Positive, Section


class RecipeSection(Section):
    """How a network is trained; what is left out is the preset of its architecture.

    Args:
        epochs: passes over the images.
        batch_size: images per step.
        rate: learning rate of the first epoch.
        optimizer: "adam" or "sgd".
        momentum: of sgd.
        weight_decay: added to the gradient, times the weight.
        milestones: finished epochs at which the rate is divided by ten.
        schedule: "steps" at milestones, or "one-cycle": the rate rises to its highest and falls to nothing.
        precision: "float32", or "bfloat16" where a CPU is faster so.
    """

    epochs: PositiveInt | None = None
    batch_size: PositiveInt | None = None
    rate: Positive | None = None
    optimizer: Literal["adam", "sgd"] | None = None
    momentum: Annotated[float, Field(ge=0, lt=1)] | None = None
    weight_decay: Annotated[float, Field(ge=0)] | None = None
    milestones: tuple[PositiveInt, ...] | None = None
    schedule: Literal["steps", "one-cycle"] | None = None
    precision: Literal["float32", "bfloat16"] | None = None


class PrimerSection(RecipeSection):
    """Where primers come from, which guide a search and may teach a student, beside the keys of their recipe.

    Args:
        architecture: lenet5, lenet5-half, alexnet, ... or package.module:factory; the teacher's size does well.
        networks: how many learn from the same answers; 4 for a guided search and none for another, if left out.
        mixtures_per_image: mixtures and noisy images to ask about, per image.
        subspace: directions of their gradients that the search asks in.
        seed: of the mixtures, the weights and the order of the images.
    """

    architecture: str = "lenet5"
    networks: Count | None = None
    mixtures_per_image: Annotated[float, Field(ge=0)] = 2.0
    subspace: PositiveInt = 100
    seed: int = 0


class TrainSection(RecipeSection):
    """What `db3kd train` was asked for; no part of a plan.

    Args:
        data: a name or a path, as for the images of a plan.
        architecture: lenet5, lenet5-half, alexnet, ... or package.module:factory.
        preset: the recipe that the keys above change: "teacher" or "student".
        limit: take that many images, drawn by the seed.
        seed: of that draw, of the weights and of the order of the images.
    """

    data: str
    architecture: str
    preset: Literal["teacher", "student"] = "teacher"
    limit: PositiveInt | None = None
    seed: int = 0


class DistillSection(RecipeSection):
    """How the student learns, beside the keys of its recipe.

    Args:
        student: architecture: lenet5-half, lenet5-fifth, alexnet-half, alexnet-quarter, ... or package.module:factory.
        softening: "proportional" (distances as gaps between logits), "relative" (in units of the row's nearest one),
            "inverse" (the paper's rule), "smoothed" (of no distance) or "primers" (gaps between the primers' logits);
            left out, "primers" where the run has some that learned from 20,000 images or more, else "smoothed".
        softening_temperature: at which that becomes probabilities; left out, 20, and 0.5 for "relative".
        temperature: at which the student is compared with them; left out, 20, and 1 for "relative".
        beside: other answers to learn from: "mixtures" that primers learned from, "probes" that a search kept.
        hard_weight: of the cross-entropy with the class.
        soft_weight: of the divergence from the soft label.
        classes: the class of an image is the teacher's decision, or its "true" label as in the paper.
        queries_per_pair: learn from the distances of this snapshot.
        seed: of the weights and of the order of the images.
        baselines: students trained beside it: "true-labels" (where there are any) and "hard-decisions".
    """

    student: str = "lenet5-half"
    softening: Literal["proportional", "relative", "inverse", "smoothed", "primers"] | None = None
    softening_temperature: Positive | None = None
    temperature: Positive | None = None
    hard_weight: Annotated[float, Field(ge=0)] = 1.0
    soft_weight: Annotated[float, Field(ge=0)] = 1.0
    beside: tuple[Literal["mixtures", "probes"], ...] = ()
    classes: Literal["decisions", "true"] = "decisions"
    queries_per_pair: PositiveInt | None = None
    seed: int = 0
    baselines: tuple[Literal["true-labels", "hard-decisions"], ...] = ("true-labels", "hard-decisions")
