"""Which transforms a teacher does not mind: a few transformed images are asked about, and their answers tell.

The questions are children of answered images, and their answers are answers as all others. What they say of a transform
is read from them again whenever it is needed; nothing else is kept.
"""

from collections import Counter
from collections.abc import Sequence

import torch

from db3kd.answers import Answers, Candidates, together
from db3kd.augmentation.transforms import TRANSFORMS, Transform, possible, transform
from db3kd.data.dataset import as_bytes
from db3kd.evaluation.figures import TransformScore
from db3kd.tensors import Int, Tensor

_MARK = "#"
_LEAST_EACH, _MOST_EACH = 12, 32
# A weak view may change so many decisions, a strong one so many; mirrored images are mirrored or not.
_WEAK, _STRONG = 0.1, 0.35
_MIRRORED_STRONG = 0.45
# Where fewer decisions stayed at full strength, no lesser one is taken: nobody asked about it.
_LEAST_STAYED = 1 / 3
# What is assumed of a transform that nobody asked about.
_ASSUMED = 0.5


def affordable(count: int, channels: int) -> int:
    """Tell how many of so many questions are asked about transformed images: as many of each transform."""
    each, ways = _divide(count, channels)
    return each * len(ways)


def view_questions(answers: Answers, count: int, generator: torch.Generator) -> Candidates:
    """Transform answered images, each in one way, as many of each transform.

    Args:
        answers: decided ones that are not set aside are transformed.
        count: questions at most. Where it is small, fewer transforms are asked about, the first of `TRANSFORMS` first.
        generator: of images and ways; it moves on.

    Returns:
        Children of the answers, with the transform in their origin and their parent in their id.

    Cost: no query.
    """
    known, (each, ways) = set(answers.images.ids), _divide(count, answers.images.image_shape[0])
    learned = answers.learned()
    parts = [_children(answers, learned[:0], TRANSFORMS[0], generator)]
    for way in ways:
        # Images of an earlier run may hold a child of another one.
        left = [row for row in learned.tolist() if _child(answers.images.ids[row], way) not in known]
        chosen = torch.randperm(len(left), generator=generator)[:each].tolist()
        rows = torch.tensor([left[place] for place in chosen], dtype=torch.int64)
        parts.append(_children(answers, rows, way, generator))
    return together(parts)


def _divide(count: int, channels: int) -> tuple[int, Sequence[Transform]]:
    """How many questions for each transform, and for which."""
    ways = possible(channels)
    each = min(_MOST_EACH, max(_LEAST_EACH, count // len(ways)))
    return each, ways[: count // each]


def approve(answers: Answers) -> tuple[TransformScore, ...]:
    """Read from answers which transforms the teacher does not mind, and how far each may go.

    Flips are taken to grow as the strength does, so that a transform goes as far as few decisions change in weak views,
    and not too many in strong ones. One of which fewer than a third of the decisions stayed is in no view. One that
    was not asked about gets what is cautious, a mirror nothing.
    """
    known = dict(zip(answers.images.ids, answers.decisions.tolist(), strict=True))
    asked, stayed = Counter[str](), Counter[str]()
    for name, decision in known.items():
        parent, _, way = name.rpartition(_MARK)
        if parent in known:
            asked[way] += 1
            stayed[way] += known[parent] == decision
    return tuple(_score(way, asked[way.name], stayed[way.name]) for way in possible(answers.images.image_shape[0]))


def _children(answers: Answers, rows: Int[Tensor, " b"], way: Transform, generator: torch.Generator) -> Candidates:
    # A mirror is asked about as such; of the others, what a view would show.
    changed = transform(answers.images.images(rows), {way.name: way.strong}, generator, full=way.binary)
    labels = answers.images.labels
    return Candidates(
        as_bytes(changed),
        answers.children(way.name, rows),
        tuple(_child(answers.images.ids[row], way) for row in rows.tolist()),
        None if labels is None else labels[rows],
    )


def _child(name: str, way: Transform) -> str:
    return f"{name}{_MARK}{way.name}"


def _score(way: Transform, asked: int, stayed: int) -> TransformScore:
    flipped = (asked - stayed + 0.5) / (asked + 1) if asked else _ASSUMED
    if way.binary:
        weak, strong = float(asked > 0 and flipped <= _WEAK), float(asked > 0 and flipped <= _MIRRORED_STRONG)
    elif stayed < _LEAST_STAYED * asked:
        weak = strong = 0.0
    else:
        weak = min(way.weak, way.strong * _WEAK / flipped)
        strong = way.strong * min(1.0, _STRONG / flipped)
    return TransformScore(way.name, asked, stayed, weak, strong)
