"""Puts a question about distances to a known teacher, and keeps all that is known of the answer.

Every test of a search asks through here, so that each of them may look at what was sent, charged and kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from db3kd.boundary import (
    BoundaryDistance,
    ExemplarPool,
    Goals,
    Guide,
    GuidedDistance,
    Interrogation,
    Method,
    MinimalBoundaryDistance,
    Pairs,
    SampleDistance,
    interrogate,
)
from db3kd.ledger import Ledger
from db3kd.names import SEARCHES, find
from db3kd.oracle import Oracle, Usage
from db3kd.teachers import Teacher
from db3kd.tensors import Float, Int, Tensor
from known_teachers import WIDE, Counting, HalfSpace, draw_images


def named(name: str) -> Method:
    """The search of a name, with its defaults."""
    method = find(SEARCHES, name)()
    assert isinstance(method, Method)
    return method


# Short rounds of Sign-OPT, so that a few hundred queries hold several of them.
SHORT = MinimalBoundaryDistance(start=BoundaryDistance(exemplars=2, tolerance=1e-2), directions=10)
GUIDED = GuidedDistance(directions=8)
# Every search that has a name, in short rounds where it has rounds, and some that show other sides of them.
METHODS: dict[str, Method] = {name: named(name) for name in SEARCHES} | {
    "sd of 3": SampleDistance(exemplars=3),
    "bd at random": BoundaryDistance(exemplars=4, order="random"),
    "mbd": SHORT,
    "guided": GUIDED,
}


@dataclass(frozen=True)
class Stack:
    """Images of any range, by their row; a `Dataset` holds only those in [0, 1]."""

    tensor: Float[Tensor, "n c h w"]

    def images(self, rows: Int[Tensor, " b"] | slice | None = None) -> Float[Tensor, "b c h w"]:
        return self.tensor.clone() if rows is None else self.tensor[rows]

    def subset(self, rows: Int[Tensor, " b"]) -> "Stack":
        return Stack(self.tensor[rows])


@dataclass(frozen=True)
class Question:
    """Images, what the teacher says of them, and exemplars.

    Args:
        teacher: decides.
        images: the images to ask about.
        decisions: the teacher's class of each of them.
        pool: exemplars, of the classes that the teacher gave them.
        exemplars: the images in the pool.
    """

    teacher: Teacher
    images: Float[Tensor, "n c h w"]
    decisions: Int[Tensor, " n"]
    pool: ExemplarPool
    exemplars: Float[Tensor, "p c h w"]

    def pairs(self, *, images: Sequence[int] | None = None, seed: int = 0) -> Pairs:
        """Rows of both kinds, targeted first, for all images or some; an image has the same id in any choice."""
        chosen = list(range(len(self.images)) if images is None else images)
        ids = [f"image/{position}" for position in chosen]
        tensor, decisions = self.images[chosen], self.decisions[chosen]
        classes = self.teacher.spec.num_classes
        targeted = Pairs.every_other_class(tensor, ids, decisions, num_classes=classes, seed=seed)
        untargeted = Pairs.leaving_own_class(tensor, ids, decisions, seed=seed)
        goals = (targeted.goals, untargeted.goals)
        return Pairs(
            tensor,
            torch.cat([targeted.image_of, untargeted.image_of]),
            Goals(torch.cat([goal.classes for goal in goals]), torch.cat([goal.reaching for goal in goals])),
            torch.cat([targeted.keys, untargeted.keys]),
        )


@dataclass(frozen=True)
class Answer:
    """What came back, and what was seen on the way.

    Args:
        pairs: the rows.
        interrogation: crossings and snapshots.
        seen: what reached the teacher.
        charged: rows on the ledger.
        usage: what the oracle says it did.
    """

    pairs: Pairs
    interrogation: Interrogation
    seen: Counting
    charged: int
    usage: Usage

    @property
    def distances(self) -> Float[Tensor, " k"]:
        return self.interrogation.crossings.distances

    @property
    def queries(self) -> Int[Tensor, " k"]:
        return self.interrogation.crossings.queries

    @property
    def outcomes(self) -> Int[Tensor, " k"]:
        return self.interrogation.crossings.outcomes

    @property
    def points(self) -> Float[Tensor, "k c h w"]:
        return self.interrogation.crossings.points


def question(teacher: Teacher, *, count: int = 6, exemplars: int = 60, seed: int = 0) -> Question:
    """Random images and a pool of others; their decisions are taken from the teacher at no charge."""
    images = draw_images(teacher, count, seed=seed)
    others = draw_images(teacher, exemplars, seed=seed + 1000)
    pool = ExemplarPool(Stack(others), teacher(others), num_classes=teacher.spec.num_classes)
    return Question(teacher, images, teacher(images), pool, others)


def across_of(asked: Question) -> list[Float[Tensor, "p c h w"]]:
    """The exemplars of another class than the image's, for each image."""
    classes = asked.teacher(asked.exemplars)
    return [asked.exemplars[classes != decision] for decision in asked.decisions]


def ask(
    asked: Question,
    method: Method,
    pairs: Pairs | None = None,
    *,
    queries: int,
    guide: Guide | None = None,
    snapshots: Sequence[int] = (),
    probes_per_turn: int = 1024,
) -> Answer:
    """Run a search to its end, on a ledger in memory."""
    pairs = asked.pairs() if pairs is None else pairs
    seen = Counting(asked.teacher)
    with Ledger(None) as ledger:
        with ledger.account("label", block=4096) as account:
            oracle = Oracle(seen, account)
            interrogation = interrogate(
                oracle,
                method.search(pairs, asked.pool, seen.spec, guide),
                queries_per_pair=queries,
                snapshots=snapshots,
                probes_per_turn=probes_per_turn,
            )
        return Answer(pairs, interrogation, seen, ledger.statement().total, oracle.usage)


def measured(pairs: Pairs, points: Float[Tensor, "k c h w"]) -> Float[Tensor, " k"]:
    """How far points are from their rows' images."""
    lengths: Tensor = torch.linalg.vector_norm((points - pairs.images[pairs.image_of]).flatten(1), dim=1)
    return lengths


def linear(weights: Float[Tensor, "num_classes d"], bias: Float[Tensor, " num_classes"]) -> nn.Module:
    """A network of these weights."""
    layer = nn.Linear(weights.shape[1], weights.shape[0])
    with torch.no_grad():
        layer.weight.copy_(weights)
        layer.bias.copy_(bias)
    return nn.Sequential(nn.Flatten(), layer)


def with_the_boundary_of(teacher: HalfSpace) -> nn.Module:
    """A network with the teacher's own boundary."""
    return linear(torch.stack([-teacher.normal, teacher.normal]), torch.tensor([1.0, -1.0]) * teacher.offset)


def guide_of(*members: nn.Module, bounds: tuple[float, float] = WIDE) -> Guide:
    """A guide in 64 dimensions, all of them."""
    return Guide(members, torch.eye(64), bounds=bounds)
