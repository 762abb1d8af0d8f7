"""A start that spreads over a pool: the middles of groups of images that look alike, which takes no network."""

import torch

from db3kd.acquisition.duplicates import draw_new, known_images, unlike
from db3kd.answers import SPREAD, Answers, Candidates
from db3kd.data.thumbnails import nearest, thumbnails
from db3kd.pools.pool import Pool, most_looked_at
from db3kd.tensors import Float, Int, Tensor

_MOST_IMAGES, _MOST_GROUPS = 20_000, 2_000
_STEPS = 20


def draw_spread(pool: Pool, answers: Answers, count: int, generator: torch.Generator) -> Candidates:
    """Draw images that stand for groups of a pool for which no answer stands yet.

    Groups are found among at most 20,000 images that are no near-duplicates, by the means of their 7x7 cells (k-means).
    Where a group forms around an answer that is learned from, nothing of it is drawn. More than 2,000 images, or more
    than half of what is new in the pool, are drawn at random.

    Args:
        pool: offers them. Of an endless one, this is its own draw.
        answers: so far.
        count: how many to draw.
        generator: of the draw; it moves on.

    Returns:
        As many as wanted; fewer where the pool runs out. The origins tell which of them stand for a group.

    Cost: no query.
    """
    if pool.size is None or not 0 < count <= _MOST_GROUPS:
        return draw_new(pool, answers, count, generator)
    state = generator.get_state()
    one = pool.draw(1, answers, generator)
    wanted = min(_MOST_IMAGES, most_looked_at(one.pixels[:1].nbytes or 1, count))
    candidates = pool.draw(wanted, answers, generator.set_state(state))
    candidates = candidates.take(unlike(candidates.pixels, known_images(answers)).nonzero()[:, 0])
    if len(candidates) < 2 * count:
        return draw_new(pool, answers, count, generator.set_state(state))
    known = thumbnails(answers.images.pixels[answers.learned()])
    chosen = candidates.take(_middles(thumbnails(candidates.pixels), known, count, generator))
    return chosen.found(SPREAD)


def _middles(
    images: Float[Tensor, "n f"], known: Float[Tensor, "k f"], count: int, generator: torch.Generator
) -> Int[Tensor, " b"]:
    """Form so many groups beside those around what is known, and give the image in the middle of each."""
    centres = torch.cat([known, images[_far_apart(images, known, count, generator)]])
    for _ in range(_STEPS):
        group, _ = nearest(images, centres)
        sizes = torch.bincount(group, minlength=len(centres))
        sizes[: len(known)] = 0
        means = torch.zeros_like(centres).index_add_(0, group, images) / sizes.clamp(min=1)[:, None]
        centres = torch.where(sizes[:, None] > 0, means, centres)
    # An image in the middle of two groups is asked about once, and others fill up.
    middles, _ = nearest(centres[len(known) :], images)
    order = torch.cat([middles, torch.arange(len(images))])
    first = torch.full((len(images),), len(order)).scatter_reduce(0, order, torch.arange(len(order)), "amin")
    return order[first.sort().values[:count]]


def _far_apart(
    images: Float[Tensor, "n f"], known: Float[Tensor, "k f"], count: int, generator: torch.Generator
) -> Int[Tensor, " b"]:
    """Draw images far from what is known and from each other: the beginning of k-means++."""
    chosen = list[int]()
    away = nearest(images, known)[1] if len(known) else torch.ones(len(images))
    for _ in range(count):
        # Where all are as good as known, any will do.
        weights = away if bool(away.any()) else torch.ones(len(images))
        chosen.append(int(torch.multinomial(weights, 1, generator=generator)))
        away = torch.minimum(away, (images - images[chosen[-1]]).square().sum(dim=1))
    return torch.tensor(chosen)
