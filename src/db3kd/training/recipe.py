"""How a network is trained: optimizer, rate, epochs, batch.

The paper's presets per architecture are here too. What is to be learnt is the matter of `objective`, the loop of
`fitting`. Called by the plan and by the command line, which let the user change any of it.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Interval, Lt

from db3kd.errors import PlanError
from db3kd.options import check_options

# The cycle: its share that the rate rises in, and the part of the rate that it begins with.
_RISING, _LEAST_RATE = 0.1, 0.04


@dataclass(frozen=True)
class Recipe:
    """How a network is trained.

    Args:
        optimizer: "adam" or "sgd".
        rate: the learning rate of the first epoch.
        epochs: passes over the images.
        batch_size: images per step; the last step of an epoch takes what is left.
        momentum: of sgd.
        weight_decay: added to the gradient, times the weight.
        milestones: numbers of finished epochs at which the rate is divided by ten; of steps.
        schedule: "steps" keeps the rate between milestones; "one-cycle" lets it rise to `rate` over the first tenth of
            the training and fall to nothing along a cosine, batch by batch.
        precision: in which the network computes; its weights are 32-bit in any case. "bfloat16" holds where a CPU is
            faster so, up to twice as fast, and is "float32" elsewhere.

    Raises:
        PlanError: a value that no training can have, or momentum or milestones where they mean nothing.

    Source: Smith and Topin (2019), "Super-convergence", for the cycle; without its cycle of momenta.
    """

    optimizer: Literal["adam", "sgd"] = "adam"
    rate: Annotated[float, Gt(0), Lt(math.inf)] = 1e-3
    epochs: Annotated[int, Ge(1)] = 200
    batch_size: Annotated[int, Ge(1)] = 512
    momentum: Annotated[float, Interval(ge=0, lt=1)] = 0.0
    weight_decay: Annotated[float, Ge(0), Lt(math.inf)] = 0.0
    milestones: tuple[Annotated[int, Ge(1)], ...] = ()
    schedule: Literal["steps", "one-cycle"] = "steps"
    precision: Literal["float32", "bfloat16"] = "float32"

    def __post_init__(self) -> None:
        check_options(self)
        faults = []
        if self.momentum and self.optimizer == "adam":
            faults.append(f"momentum belongs to sgd, got {self.momentum} with adam")
        if self.milestones and self.schedule == "one-cycle":
            faults.append(f"milestones belong to the schedule steps, got {self.milestones} with one-cycle")
        if faults:
            raise PlanError(f"a recipe cannot be so: {'; '.join(faults)}; nothing was done")

    def rate_after(self, epochs: int | float) -> float:
        """Tell the learning rate after so many epochs, with a fraction for the one that is under way."""
        if self.schedule == "steps":
            return self.rate / 10.0 ** sum(milestone <= epochs for milestone in self.milestones)
        done = epochs / self.epochs
        if done < _RISING:
            return self.rate * (_LEAST_RATE + (1 - _LEAST_RATE) * done / _RISING)
        return self.rate * (1 + math.cos(math.pi * (done - _RISING) / (1 - _RISING))) / 2


def adapted(recipe: Recipe, changes: Mapping[str, Any]) -> Recipe:
    """Change some options of a recipe by name; milestones that are named mean steps, and a cycle has none."""
    implied: dict[str, Any] = {}
    if changes.get("milestones"):
        implied["schedule"] = "steps"
    if changes.get("schedule") == "one-cycle":
        implied["milestones"] = ()
    if changes.get("optimizer") == "adam":
        implied["momentum"] = 0.0
    return replace(recipe, **{**implied, **changes})


def teacher_recipe(architecture: str) -> Recipe:
    """Give the preset for training an architecture on labels: a teacher, or a baseline student.

    Source: arXiv 2106.03310, section 4, and its public code. Deviation: an architecture of the user's own takes the
    recipe of LeNet5, since Adam at a low rate asks little of a network it does not know.
    """
    if architecture.startswith("alexnet"):
        return Recipe("sgd", 0.1, epochs=200, batch_size=1024, momentum=0.9, weight_decay=1e-4, milestones=(60, 120))
    return Recipe("adam", 5e-4, epochs=200, batch_size=1024)


def student_recipe(architecture: str) -> Recipe:
    """Give the preset for distilling into an architecture; source and deviation as in `teacher_recipe`."""
    return Recipe("adam", 5e-3 if architecture.startswith("alexnet") else 1e-3, epochs=200, batch_size=512)
