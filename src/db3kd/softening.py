"""Soft labels: out of distances, out of a committee's opinions, or out of the decision alone.

Each rule keeps the teacher's decision on top. No rule asks anything: another one, or another temperature, costs no
query. `training.Objective` compares a student with the result.
"""

from typing import Annotated, ClassVar, Literal, Protocol, runtime_checkable

import torch
from annotated_types import Gt, Lt

from db3kd.arguments import checked_options
from db3kd.errors import InputError
from db3kd.tensors import Bool, Float, Int, Tensor

# Below the distance of any two 8-bit images, and far enough from 0 that sums of reciprocals keep their digits.
_SMALLEST_DISTANCE = 1e-9
# How far the other classes' logits lie below the decision's, on average. At a temperature of 20 that keeps a student's
# own logits as small; 2 and 8 made worse students (docs/methods/soft-labels.md).
_MARGIN = 4.0

Needs = Literal["nothing", "distances", "opinions"]
Temperature = Annotated[float, Gt(0), Lt(float("inf"))]
Classes = Int[Tensor, " n"]
Table = Float[Tensor, "n num_classes"]
Own = Bool[Tensor, "n num_classes"]


@runtime_checkable
class Softening(Protocol):
    """Turns what is known of images into soft labels."""

    @property
    def name(self) -> str:
        """The short name that tables and plans use."""

    @property
    def needs(self) -> Needs:
        """What it looks at besides the decisions."""

    @property
    def temperature(self) -> float:
        """The temperature at which labels are made; higher is flatter."""

    @property
    def compare_at(self) -> float:
        """The temperature at which a student is compared with them."""

    def __call__(
        self, decisions: Classes, *, distances: Table | None = None, opinions: Table | None = None, num_classes: int
    ) -> Table:
        """Soften.

        Args:
            decisions: the teacher's class of each image. All images of a set at once.
            distances: to each class, in input units; infinite where none was found. The own column is ignored.
            opinions: the committee's mean logits.
            num_classes: of the teacher.

        Returns:
            float32, each row sums to 1; no entry is above the decision's.

        Raises:
            InputError: a decision is no class, or what the rule needs is missing, of another shape, negative or NaN.
        """


@checked_options
class Inverse:
    """The paper's rule: a class weighs one over its distance, the decision as much as all others together.

    The temperature has the inverse unit of the distances: images from 0 to 255 take one that is 255 times lower. At 20
    and distances of 1 to 5 a label is nearly flat (own entry 0.11 to 0.14 of ten classes). A class that was not found
    keeps a share, since a weight of 0 is e^0 before the softmax divides. Where there are two classes, the other one
    ties with the decision: such labels teach nothing.

    Args:
        temperature: at which labels are made.
        compare_at: temperature at which a student is compared with them.

    Source: arXiv 2106.03310, section 3.4. Deviations: a class that was not found weighs 0, and an image for which none
    was found keeps its decision (the paper has a distance for each class); a distance of 0 counts as 1e-9.
    """

    temperature: Temperature = 20.0
    compare_at: Temperature = 20.0

    name: ClassVar[str] = "inverse"
    needs: ClassVar[Needs] = "distances"

    def __call__(
        self, decisions: Classes, *, distances: Table | None = None, opinions: Table | None = None, num_classes: int
    ) -> Table:
        own = _own(decisions, num_classes)
        distances = _checked(distances, own, self)
        # In double precision: the decision's lead is the small difference of two sums where one distance is near 0.
        weights = distances.double().clamp_min(_SMALLEST_DISTANCE).reciprocal().masked_fill(own, 0.0)
        weights = torch.where(own, weights.sum(1, keepdim=True), weights)
        found = (distances.isfinite() & ~own).any(1, keepdim=True)
        return torch.where(found, weights.div(self.temperature).softmax(1), own.double()).float()


@checked_options
class Proportional:
    """Distances as gaps between logits: at the mean distance of the set, a class lies 4 below the decision.

    To first order the distance to a class is the gap between its logit and the decision's over the norm of that gap's
    gradient. So an image near its boundaries has a flatter label than one far from them, and the unit of the distances
    does not matter. Where no boundary of a class was found it counts as far as the row's farthest one, or the mean if
    that is farther: at a temperature of 20 a weight of 0 would outweigh all that is known.

    Args:
        temperature: at which labels are made.
        compare_at: temperature at which a student is compared with them.
    """

    temperature: Temperature = 20.0
    compare_at: Temperature = 20.0

    name: ClassVar[str] = "proportional"
    needs: ClassVar[Needs] = "distances"

    def __call__(
        self, decisions: Classes, *, distances: Table | None = None, opinions: Table | None = None, num_classes: int
    ) -> Table:
        own = _own(decisions, num_classes)
        return _by_gaps(_checked(distances, own, self), own, self.temperature)


@checked_options
class Smoothed:
    """The decision alone: its logit is 4 above all others, which are alike.

    At a temperature of 20 this is nearly flat, as the paper's rule is for long distances, and makes students as good as
    theirs (records/2026-11-22-fashion-mnist): what every other rule has to beat.

    Args:
        temperature: at which labels are made.
        compare_at: temperature at which a student is compared with them.

    Source: label smoothing, Szegedy et al. (2016), section 7, at a temperature.
    """

    temperature: Temperature = 20.0
    compare_at: Temperature = 20.0

    name: ClassVar[str] = "smoothed"
    needs: ClassVar[Needs] = "nothing"

    def __call__(
        self, decisions: Classes, *, distances: Table | None = None, opinions: Table | None = None, num_classes: int
    ) -> Table:
        return (_own(decisions, num_classes).double() * (_MARGIN / self.temperature)).softmax(1).float()


@checked_options
class Opinions:
    """The gaps between a committee's mean logits, in the place of distances; see `Proportional`.

    The decision has the last word: where the committee puts another class above it, that class's gap counts as 0.

    Args:
        temperature: at which labels are made.
        compare_at: temperature at which a student is compared with them.
    """

    temperature: Temperature = 20.0
    compare_at: Temperature = 20.0

    name: ClassVar[str] = "opinions"
    needs: ClassVar[Needs] = "opinions"

    def __call__(
        self, decisions: Classes, *, distances: Table | None = None, opinions: Table | None = None, num_classes: int
    ) -> Table:
        own = _own(decisions, num_classes)
        if opinions is not None:
            opinions = (opinions.gather(1, decisions.long()[:, None]) - opinions).clamp_min(0.0)
        return _by_gaps(_checked(opinions, own, self), own, self.temperature)


def _by_gaps(gaps: Table, own: Own, temperature: float) -> Table:
    """Take gaps for distances of logits, with their mean over the set as 4."""
    found = gaps.isfinite() & ~own
    known = gaps.double().where(found, 0.0)
    unit = known.sum() / found.sum()
    unit = unit if unit > 0 else torch.ones_like(unit)
    farthest = known.amax(1, keepdim=True).clamp_min(unit)
    scaled = torch.where(found, known, farthest).masked_fill(own, 0.0) / unit
    return (scaled * (-_MARGIN / temperature)).softmax(1).float()


def _own(decisions: Classes, num_classes: int) -> Own:
    """Where each row's decision stands."""
    if len(decisions) and not 0 <= int(decisions.min()) <= int(decisions.max()) < num_classes:
        raise InputError(
            f"decisions must be from 0 to {num_classes - 1}, got {int(decisions.min())} to {int(decisions.max())}; "
            "nothing was softened"
        )
    nowhere = torch.zeros(len(decisions), num_classes, dtype=torch.bool, device=decisions.device)
    return nowhere.scatter(1, decisions.long().unsqueeze(1), value=True)


def _checked(lengths: Float[Tensor, "m columns"] | None, own: Own, rule: Softening) -> Table:
    """Refuse distances or gaps that cannot be softened."""
    if lengths is None or lengths.shape != own.shape:
        raise InputError(
            f"the softening {rule.name!r} needs {rule.needs} of shape {list(own.shape)}, got "
            f"{'none' if lengths is None else list(lengths.shape)}; nothing was softened"
        )
    # NaN fails every comparison, so it is asked whether all is well and not whether something is wrong.
    if not ((lengths >= 0) | own).all().item():
        raise InputError(
            "distances must be 0 or more, infinite where nothing was found, got a negative one or NaN; nothing was "
            "softened: measure these rows again"
        )
    return lengths
