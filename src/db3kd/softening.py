"""From distances to soft labels.

A transfer set holds the distances that were bought; what they say about the classes is decided here, and may be decided
again at another temperature without a query. All rules keep the decision on top; three order the other classes by
nearness (a class whose boundary is near is a likely mistake), one looks at no distance.
`training.Objective` compares a student with the result. Called by the pipeline just before a student is trained.
"""

import torch

from db3kd.errors import InputError
from db3kd.tensors import Bool, Float, Int, Tensor

# Below the distance of any two 8-bit images, and far enough from 0 that sums of reciprocals keep their digits.
_SMALLEST_DISTANCE = 1e-9
# How far the other classes' logits lie below the decision's, on average. At a temperature of 20 that keeps a student's
# own logits as small; 2 and 8 made worse students (docs/methods/soft-labels.md).
_MARGIN = 4.0


def inverse_distance(
    distances: Float[Tensor, "n num_classes"], decisions: Int[Tensor, " n"], temperature: float
) -> Float[Tensor, "n num_classes"]:
    """Soften by the paper's rule: a class weighs one over its distance, the decision as much as all others together.

    The temperature has the inverse unit of the distances: the same label for images from 0 to 255 takes a temperature
    255 times lower. At the paper's 20 and distances of 1 to 5 a label is nearly flat (own entry 0.11 to 0.14 of ten
    classes), and the flatter the farther the image is from every boundary. A class that was not found keeps a share,
    since a weight of 0 is e^0 before the softmax divides. Where one class was found, or there are two in all, it ties
    with the decision: such labels teach nothing, and `relative_distance` is the rule to take.

    Source: arXiv 2106.03310, section 3.4. Deviations: a class that was not found weighs 0, and an image for which none
    was found keeps its decision (the paper has a distance for each class); a distance of 0 counts as 1e-9.

    Args:
        distances: to the boundary of each class, in input units; infinite where none was found. The own column is
            ignored.
        decisions: the teacher's class of each image.
        temperature: of the softmax; higher is flatter.

    Returns:
        float32, each row sums to 1; no entry is above the decision's.

    Raises:
        InputError: a distance is negative or not a number, a decision is no class, or the temperature is not positive.
    """
    own = _check(distances, decisions, temperature)
    # In double precision: the decision's lead is the small difference of two sums where one distance is near 0.
    weights = distances.double().clamp_min(_SMALLEST_DISTANCE).reciprocal().masked_fill(own, 0.0)
    weights = torch.where(own, weights.sum(1, keepdim=True), weights)
    return _keep_decision(weights.div(temperature).softmax(1), distances, own)


def proportional_distance(
    distances: Float[Tensor, "n num_classes"], decisions: Int[Tensor, " n"], temperature: float
) -> Float[Tensor, "n num_classes"]:
    """Soften by taking distances for gaps between logits; at the mean distance of the set, a class lies 4 below.

    To first order the distance to a class is the gap between its logit and the decision's over the norm of that gap's
    gradient; where the norm varies little, distances are the teacher's logits but for one factor, which the mean over
    the whole set stands for. So an image near its boundaries has a flatter label than one far from them, and the unit
    of the distances does not matter. The other classes are 4 below the decision on average, as in `smoothed_decision`:
    at a temperature of 20 that holds a student's logits small, which alone makes a better student.

    Where no boundary of a class was found it counts as far as the row's farthest one, or the mean if that is farther:
    at a temperature of 20 a weight of 0 would outweigh all that is known.

    Args:
        distances: to the boundary of each class, in any unit; infinite where none was found. The own column is
            ignored. All images of the set at once.
        decisions: the teacher's class of each image.
        temperature: of the softmax; higher is flatter.

    Returns:
        float32, each row sums to 1; no entry is above the decision's.

    Raises:
        InputError: a distance is negative or not a number, a decision is no class, or the temperature is not positive.
    """
    own = _check(distances, decisions, temperature)
    found = distances.isfinite() & ~own
    known = distances.double().where(found, 0.0)
    unit = known.sum() / found.sum()
    unit = unit if unit > 0 else torch.ones_like(unit)
    farthest = known.amax(1, keepdim=True).clamp_min(unit)
    gaps = torch.where(found, known, farthest).masked_fill(own, 0.0) / unit
    return (gaps * (-_MARGIN / temperature)).softmax(1).float()


def relative_distance(
    distances: Float[Tensor, "n num_classes"], decisions: Int[Tensor, " n"], temperature: float
) -> Float[Tensor, "n num_classes"]:
    """Soften by distances over the row's nearest one: class t weighs exp(-(distance / nearest) / temperature).

    The decision's own distance counts as 0. To first order the distance to a class is the gap between its logit and
    the decision's over the norm of that gap's gradient; so this is the softmax of the teacher's own logits, with the
    row's smallest gap as their unit. The temperature therefore has no unit: the nearest class is exp(-1 / temperature)
    as likely as the decision (0.14 at 0.5, 0.37 at 1), in any image and at any number of classes. The decision is
    strictly on top even where one class was found. The price: the label does not tell that one image lies nearer to its
    boundary than another.

    Args:
        distances: to the boundary of each class, in input units; infinite where none was found. The own column is
            ignored.
        decisions: the teacher's class of each image.
        temperature: of the softmax, from 0.2 (sharp) to 1 (flat).

    Returns:
        float32, each row sums to 1; no entry is above the decision's, and a class that was not found has 0.

    Raises:
        InputError: a distance is negative or not a number, a decision is no class, or the temperature is not positive.
    """
    own = _check(distances, decisions, temperature)
    others = distances.double().masked_fill(own, torch.inf).clamp_min(torch.finfo(torch.float64).tiny)
    nearest = others.amin(1, keepdim=True)
    # A row without any boundary has no scale; its ratios are infinite whatever the divisor, and never inf / inf.
    ratios = others / torch.where(nearest.isinf(), 1.0, nearest)
    return _keep_decision(ratios.masked_fill(own, 0.0).div(-temperature).softmax(1), distances, own)


def smoothed_decision(
    distances: Float[Tensor, "n num_classes"], decisions: Int[Tensor, " n"], temperature: float
) -> Float[Tensor, "n num_classes"]:
    """Soften without looking at a distance: the decision's logit is 4 above all others, which are alike.

    At a temperature of 20 this is nearly flat, as the paper's rule is for distances as long as sample distances, and
    makes students as good as theirs (records/2026-11-22-fashion-mnist): the control of every other rule, and the best
    one where a query an image is all that there is.

    Source: label smoothing, Szegedy et al. (2016), section 7, at a temperature.

    Args:
        distances: tell the number of classes.
        decisions: the teacher's class of each image.
        temperature: of the softmax; higher is flatter.

    Returns:
        float32, each row sums to 1.

    Raises:
        InputError: a distance is negative or not a number, a decision is no class, or the temperature is not positive.
    """
    own = _check(distances, decisions, temperature)
    return (own.double() * (_MARGIN / temperature)).softmax(1).float()


def _keep_decision(
    softened: Float[Tensor, "n num_classes"],
    distances: Float[Tensor, "n num_classes"],
    own: Bool[Tensor, "n num_classes"],
) -> Float[Tensor, "n num_classes"]:
    found = (distances.isfinite() & ~own).any(1, keepdim=True)
    return torch.where(found, softened, own.double()).float()


def _check(
    distances: Float[Tensor, "n num_classes"], decisions: Int[Tensor, " n"], temperature: float
) -> Bool[Tensor, "n num_classes"]:
    if not 0 < temperature < float("inf"):
        raise InputError(f"a temperature must be positive, got {temperature}; nothing was softened")
    if len(distances) and not 0 <= int(decisions.min()) <= int(decisions.max()) < distances.shape[1]:
        raise InputError(
            f"decisions must be from 0 to {distances.shape[1] - 1}, got {int(decisions.min())} to "
            f"{int(decisions.max())}; nothing was softened"
        )
    own = torch.zeros_like(distances, dtype=torch.bool).scatter(1, decisions.long().unsqueeze(1), value=True)
    # NaN fails every comparison, so it is asked whether all is well and not whether something is wrong.
    if not ((distances >= 0) | own).all().item():
        raise InputError(
            "distances must be 0 or more, infinite where nothing was found, got a negative one or NaN; nothing was "
            "softened: measure these rows again"
        )
    return own
