"""How a network is trained: optimizer, rate, epochs, batch.

The paper's presets per architecture are here too. What is to be learnt is the matter of `objective`, the loop of
`fitting`. Called by the plan and by the command line, which let the user change any of it.
"""

import math
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Interval, Lt

from db3kd.arguments import check_arguments, checked_options
from db3kd.errors import PlanError

# One cycle: its share that the rate rises in; and the part of the rate that any rise begins with.
_RISING, _LEAST_RATE = 0.1, 0.04
_MOST_PHOTOS = 128


@checked_options
class Recipe:
    """How a network is trained.

    Args:
        optimizer: "adam", "adamw" or "sgd".
        rate: the learning rate of the first epoch.
        epochs: passes over the images.
        batch_size: images per step; the last step of an epoch takes what is left.
        momentum: momentum of sgd.
        weight_decay: added to the gradient, times the weight; adamw takes it off the weight itself, times the rate,
            and spares biases and norms.
        milestones: numbers of finished epochs at which the rate is divided by ten, with "steps".
        schedule: "steps" keeps the rate between milestones; "cosine" lets it fall to nothing along a cosine, batch by
            batch, after it has risen to `rate`; "one-cycle" is a cosine that rises over the first tenth.
        warmup: the part of the training in which the rate rises, with "cosine".
        precision: numbers that the network computes with; its weights are 32-bit in any case. "bfloat16" holds where a
            CPU is faster so, up to twice as fast, and is "float32" elsewhere; "mixed" is the same, and bfloat16 on a
            GPU that has it.

    Raises:
        PlanError: a value that no training can have, or momentum, milestones or warmup where they mean nothing.

    Source: Smith and Topin (2019), "Super-convergence", for the cycle; without its cycle of momenta.
    """

    optimizer: Literal["adam", "adamw", "sgd"] = "adam"
    rate: Annotated[float, Gt(0), Lt(math.inf)] = 1e-3
    epochs: Annotated[int, Ge(1)] = 200
    batch_size: Annotated[int, Ge(1)] = 512
    momentum: Annotated[float, Interval(ge=0, lt=1)] = 0.0
    weight_decay: Annotated[float, Ge(0), Lt(math.inf)] = 0.0
    milestones: tuple[Annotated[int, Ge(1)], ...] = ()
    schedule: Literal["steps", "cosine", "one-cycle"] = "steps"
    warmup: Annotated[float, Interval(ge=0, lt=1)] = 0.0
    precision: Literal["float32", "bfloat16", "mixed"] = "float32"

    def __post_init__(self) -> None:
        faults = []
        if self.momentum and self.optimizer != "sgd":
            faults.append(f"momentum belongs to sgd, got {self.momentum} with {self.optimizer}")
        if self.milestones and self.schedule != "steps":
            faults.append(f"milestones belong to the schedule steps, got {self.milestones} with {self.schedule}")
        if self.warmup and self.schedule != "cosine":
            faults.append(f"warmup belongs to the schedule cosine, got {self.warmup} with {self.schedule}")
        if faults:
            raise PlanError(f"a recipe cannot be so: {'; '.join(faults)}; nothing was done")

    def rate_after(self, epochs: int | float) -> float:
        """Tell the learning rate after so many epochs, with a fraction for the one that is under way."""
        if self.schedule == "steps":
            return self.rate / 10.0 ** sum(milestone <= epochs for milestone in self.milestones)
        done, rising = epochs / self.epochs, _RISING if self.schedule == "one-cycle" else self.warmup
        if done < rising:
            return self.rate * (_LEAST_RATE + (1 - _LEAST_RATE) * done / rising)
        return self.rate * (1 + math.cos(math.pi * (done - rising) / (1 - rising))) / 2


def adapted(recipe: Recipe, changes: Mapping[str, Any]) -> Recipe:
    """Change some options of a recipe by name; what belongs to another schedule or optimizer goes with it.

    Milestones that are named mean steps, and a warmup means a cosine.
    """
    check_arguments(adapted, locals())
    known = [field.name for field in fields(recipe)]
    if unknown := [name for name in changes if name not in known]:
        raise PlanError(f"a recipe has no {unknown[0]!r}; nothing was changed: its options are {', '.join(known)}")
    implied: dict[str, Any] = {}
    if changes.get("milestones"):
        implied["schedule"] = "steps"
    if changes.get("warmup"):
        implied["schedule"] = "cosine"
    schedule = changes.get("schedule", implied.get("schedule", recipe.schedule))
    if schedule != "steps":
        implied["milestones"] = ()
    if schedule != "cosine":
        implied["warmup"] = 0.0
    if changes.get("optimizer", "sgd") != "sgd":
        implied["momentum"] = 0.0
    return replace(recipe, **{**implied, **changes})


def for_photos(recipe: Recipe) -> Recipe:
    """Change a preset to what deep networks of photos are usually trained with, for as many epochs.

    Source: Loshchilov and Hutter (2019), "Decoupled weight decay regularization"; rate, decay and warmup are those of
    common recipes for timm's networks at batches of 128.
    """
    check_arguments(for_photos, locals())
    usual = {"optimizer": "adamw", "rate": 1e-3, "weight_decay": 0.05, "warmup": 0.05, "precision": "mixed"}
    return adapted(recipe, {**usual, "batch_size": min(recipe.batch_size, _MOST_PHOTOS)})


def teacher_recipe(architecture: str) -> Recipe:
    """Give the preset for training an architecture on labels: a teacher, or a baseline student.

    Source: arXiv 2106.03310, section 4, and its public code. Deviation: an architecture of the user's own takes the
    recipe of LeNet5, since Adam at a low rate asks little of a network it does not know.
    """
    check_arguments(teacher_recipe, locals())
    if architecture.startswith("alexnet"):
        return Recipe("sgd", 0.1, epochs=200, batch_size=1024, momentum=0.9, weight_decay=1e-4, milestones=(60, 120))
    return Recipe("adam", 5e-4, epochs=200, batch_size=1024)


def student_recipe(architecture: str) -> Recipe:
    """Give the preset for distilling into an architecture; source and deviation as in `teacher_recipe`."""
    check_arguments(student_recipe, locals())
    return Recipe("adam", 5e-3 if architecture.startswith("alexnet") else 1e-3, epochs=200, batch_size=512)
