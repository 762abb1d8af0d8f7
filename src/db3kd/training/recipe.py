"""How a network is trained: optimizer, rate, epochs, batch.

The paper's presets per architecture are here too. What is to be learnt is the matter of `objective`, the loop of
`fitting`. Called by the plan and by the command line, which let the user change any of it.
"""

import math
from dataclasses import dataclass
from typing import Literal

from db3kd.errors import PlanError

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
        PlanError: a value that no training can have; all of them are named.

    Source: Smith and Topin (2019), "Super-convergence", for the cycle; without its cycle of momenta.
    """

    optimizer: Literal["adam", "sgd"]
    rate: float
    epochs: int
    batch_size: int
    momentum: float = 0.0
    weight_decay: float = 0.0
    milestones: tuple[int, ...] = ()
    schedule: Literal["steps", "one-cycle"] = "steps"
    precision: Literal["float32", "bfloat16"] = "float32"

    def __post_init__(self) -> None:
        faults = [
            f"{name} must be {' or '.join(known)}, got {given!r}"
            for name, given, known in (
                ("optimizer", self.optimizer, ("adam", "sgd")),
                ("schedule", self.schedule, ("steps", "one-cycle")),
                ("precision", self.precision, ("float32", "bfloat16")),
            )
            if given not in known
        ]
        faults += [
            f"{name} must be at least 1, got {number}"
            for name, number in (("epochs", self.epochs), ("batch_size", self.batch_size))
            if number < 1
        ]
        if not 0 < self.rate < math.inf:
            faults.append(f"rate must be positive, got {self.rate}")
        if not 0 <= self.momentum < 1:
            faults.append(f"momentum must be from 0 to below 1, got {self.momentum}")
        if self.momentum and self.optimizer == "adam":
            faults.append(f"momentum belongs to sgd, got {self.momentum} with adam")
        if not 0 <= self.weight_decay < math.inf:
            faults.append(f"weight_decay must not be negative, got {self.weight_decay}")
        if any(milestone < 1 for milestone in self.milestones):
            faults.append(f"milestones must be at least 1, got {self.milestones}")
        if self.milestones and self.schedule == "one-cycle":
            faults.append(f"milestones belong to the schedule steps, got {self.milestones} with one-cycle")
        if faults:
            raise PlanError("a recipe cannot be so: " + "; ".join(faults))

    def rate_after(self, epochs: int | float) -> float:
        """Tell the learning rate of the batch that follows.

        Args:
            epochs: how many are finished, with a fraction for the one that is under way.

        Returns:
            The rate: divided by ten for each milestone that was reached, or where the cycle is.
        """
        if self.schedule == "steps":
            reached = sum(milestone <= epochs for milestone in self.milestones)
            return self.rate / 10.0**reached
        done = epochs / self.epochs
        if done < _RISING:
            return self.rate * (_LEAST_RATE + (1 - _LEAST_RATE) * done / _RISING)
        return self.rate * (1 + math.cos(math.pi * (done - _RISING) / (1 - _RISING))) / 2


def teacher_recipe(architecture: str) -> Recipe:
    """Give the preset for training on labels: a teacher, or a baseline student.

    Source: arXiv 2106.03310, section 4, and its public code. Deviation: an architecture of the user's own takes the
    recipe of LeNet5, since Adam at a low rate asks little of a network it does not know.

    Args:
        architecture: a name as `db3kd.models.build` takes it.

    Returns:
        The preset; `dataclasses.replace` changes what should differ.
    """
    if architecture.startswith("alexnet"):
        return Recipe("sgd", 0.1, epochs=200, batch_size=1024, momentum=0.9, weight_decay=1e-4, milestones=(60, 120))
    return Recipe("adam", 5e-4, epochs=200, batch_size=1024)


def student_recipe(architecture: str) -> Recipe:
    """Give the preset for distilling into a student.

    Source: arXiv 2106.03310, section 4, and its public code. Deviation: an architecture of the user's own takes the
    recipe of LeNet5.

    Args:
        architecture: a name as `db3kd.models.build` takes it.

    Returns:
        The preset; `dataclasses.replace` changes what should differ.
    """
    return Recipe("adam", 5e-3 if architecture.startswith("alexnet") else 1e-3, epochs=200, batch_size=512)
