"""What a network should learn about each image: the losses.

Where soft labels come from is the matter of `db3kd.softening`; the loop that lowers the loss is in `fitting`.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import torch
from torch.nn import functional

from db3kd.arguments import check_arguments
from db3kd.errors import PlanError
from db3kd.models.placement import gather
from db3kd.tensors import Float, Int, Pixels, Tensor


@dataclass(frozen=True)
class Objective:
    """What a network should learn about each image: a class, a distribution over the classes, or both.

    The loss of a batch is `hard_weight` times the mean cross-entropy with the labels, plus `soft_weight` times T^2
    times the mean Kullback-Leibler divergence from the soft labels to the network's softmax at temperature T. T^2 keeps
    the gradient's size the same at any T.

    Source: arXiv 2106.03310, equation 5. Its public code sums the divergence over a batch of 512 at T = 20 instead of
    averaging and multiplying by T^2 = 400: the same weight but for 28%. Offsets after Menon et al. (2021), "Long-tail
    learning via logit adjustment".

    Args:
        labels: a class per image; None to learn from soft labels alone.
        soft_labels: a distribution per image, as a softening made it; None to learn from labels alone.
        temperature: T, at which the network's logits are compared with `soft_labels`.
        hard_weight: of the cross-entropy.
        soft_weight: of the divergence.
        smoothing: the part of each label that is spread over all classes.
        offsets: added to the logits where they are compared with labels: with the logarithms of the classes' shares, a
            class that is rare here is not thought to be rare elsewhere.

    Raises:
        PlanError: there is nothing to learn, or a value that no objective can have.
    """

    labels: Int[Tensor, " n"] | None = None
    soft_labels: Float[Tensor, "n num_classes"] | None = None
    temperature: float = 1.0
    hard_weight: float = 1.0
    soft_weight: float = 1.0
    smoothing: float = 0.0
    offsets: Float[Tensor, " num_classes"] | None = None

    def __post_init__(self) -> None:
        check_arguments(type(self).__init__, vars(self))
        faults = []
        if self.labels is None and self.soft_labels is None:
            faults.append("there are neither labels nor soft labels")
        if not 0 < self.temperature < math.inf:
            faults.append(f"temperature must be positive, got {self.temperature}")
        hard = self.hard_weight if self.labels is not None else 0.0
        weights = (hard, self.soft_weight if self.soft_labels is not None else 0.0)
        if min(weights) < 0 or not 0 < sum(weights) < math.inf:
            faults.append(f"hard_weight and soft_weight must not be negative, nor both zero, got {weights}")
        if self.soft_labels is not None and not ((self.soft_labels.sum(1) - 1).abs() < 1e-3).all().item():
            faults.append("each row of soft_labels must sum to 1")
        if faults:
            raise PlanError("an objective cannot be so: " + "; ".join(faults))

    def __len__(self) -> int:
        known = self.labels if self.labels is not None else self.soft_labels
        assert known is not None
        return len(known)

    def to(self, device: torch.device) -> "Objective":
        """Move what is known of the images to a device."""
        labels, soft, offsets = self.labels, self.soft_labels, self.offsets
        return replace(
            self,
            labels=None if labels is None else labels.to(device, torch.int64),
            soft_labels=None if soft is None else soft.to(device, torch.float32),
            offsets=None if offsets is None else offsets.to(device, torch.float32),
        )

    def loss(self, logits: Float[Tensor, "b num_classes"], rows: Int[Tensor, " b"]) -> Float[Tensor, ""]:
        """Measure how far the network's answer about some images is from what should be learnt: the mean, in nats."""
        total = logits.new_zeros(())
        if self.labels is not None and self.hard_weight:
            scores = logits if self.offsets is None else logits + self.offsets
            labels = self.labels.index_select(0, rows)
            loss = functional.cross_entropy(scores, labels, label_smoothing=self.smoothing)
            total = total + self.hard_weight * loss
        if self.soft_labels is not None and self.soft_weight:
            answered = functional.log_softmax(logits / self.temperature, dim=1)
            divergence = functional.kl_div(answered, self.soft_labels.index_select(0, rows), reduction="batchmean")
            total = total + self.soft_weight * self.temperature**2 * divergence
        return total


@dataclass(frozen=True)
class Views:
    """How far each transform of `db3kd.augmentation` goes, by its name.

    Args:
        weak: in views that are labelled: of answered images, and of those that the running mean looks at.
        strong: in views from which the network has to find out what the running mean said.
    """

    weak: Mapping[str, float] = field(default_factory=dict)
    strong: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Unasked:
    """Images that nobody asked about, of which a network learns beside those that it knows; see `consistency`.

    Args:
        pixels: of a whole pool, which is not copied.
        rows: of those that are learned from; whether they were asked about does not matter.
        shares: the part of the pool that each class has, as answers drawn at random say; each at least a little.
        certainty: how many of them say so.
        for_each: so many of them are learned from in a step for each answer.
    """

    pixels: Pixels
    rows: Int[Tensor, " m"]
    shares: Float[Tensor, " num_classes"]
    certainty: int
    for_each: int = 3


@dataclass(frozen=True, eq=False)
class Material:
    """Images, and what to learn about them.

    Args:
        pixels: the n images, or a set that holds them; 0 to 255 where 8-bit, else in [0, 1].
        objective: what to learn about each image that is learned.
        images_per_epoch: an epoch takes so many of the images, in a new order whenever all had their turn; None for all
            of them. Sets of different sizes are learned from equally long with it.
        views: how images are transformed, each time anew; None to show them as they are.
        unasked: images without a label that are learned from as well; they need views.
        rows: which of the pixels are learned, so that a large set need not be copied for a part of it; None
            for all of them.
    """

    pixels: Pixels
    objective: Objective
    images_per_epoch: int | None = None
    views: Views | None = None
    unasked: Unasked | None = None
    rows: Int[Tensor, " m"] | None = None

    def __len__(self) -> int:
        return len(self.pixels) if self.rows is None else len(self.rows)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Channels, height and width."""
        _, channels, height, width = self.pixels.shape
        return channels, height, width

    def images(self, places: Int[Tensor, " b"]) -> Float[Tensor, "b c h w"]:
        """Give some of the n images as a network takes them, on the device of the pixels."""
        rows = places if self.rows is None else self.rows.index_select(0, places.to(self.rows.device))
        return gather(self.pixels, rows)


def balanced(decisions: Int[Tensor, " n"], num_classes: int) -> Objective:
    """Learn decisions so that a rare class counts as much as a frequent one: each one's log share is its offset."""
    check_arguments(balanced, locals())
    counts = torch.bincount(decisions, minlength=num_classes).to(torch.float32)
    return Objective(labels=decisions, offsets=((counts + 1) / (counts + 1).sum()).log())
