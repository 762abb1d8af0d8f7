"""Near-duplicates: images that look so much alike that one answer does for both."""

import torch

from db3kd.answers import Answers, Candidates
from db3kd.data.thumbnails import thumbnails
from db3kd.pools.pool import Pool, most_looked_at
from db3kd.tensors import Bool, Float, Int, Tensor, UInt8

# White falls into the last of 12 steps.
_STEPS = 12 * 255 / 256
_PART = 8192
# As many more than are asked for are looked at first.
_SPARE = 1.5


def draw_new(pool: Pool, answers: Answers, count: int, generator: torch.Generator) -> Candidates:
    """Draw images at random, near-duplicates of answered and of drawn ones last.

    They are fewer than wanted where a pool runs out. Of a very large pool, as many images are looked at as fit into
    512 MiB, and two for each question at least. Of an endless one, and where there are no near-duplicates, this is the
    pool's own draw.
    """
    state = generator.get_state()
    drawn = pool.draw(count, answers, generator)
    if pool.size is None or not len(drawn):
        return drawn
    known = known_images(answers)
    new = unlike(drawn.pixels, known)
    most = min(pool.size, most_looked_at(drawn.pixels[0].nbytes, count))
    wanted = count
    while int(new.sum()) < count and wanted < most:
        # From the same state, a longer draw goes on where the shorter one ended.
        wanted = min(2 * wanted, most)
        drawn = pool.draw(wanted, answers, generator.set_state(state))
        new = unlike(drawn.pixels, known)
    return drawn.take(_first_new(new, count))


def new_ones(candidates: Candidates, answers: Answers, preferred: Int[Tensor, " n"], count: int) -> Int[Tensor, " b"]:
    """Take the first of the preferred candidates that are no near-duplicates, then near-duplicates where it must be."""
    known = known_images(answers)
    for spare in (round(_SPARE * count), len(preferred)):
        first = preferred[:spare]
        new = unlike(candidates.pixels[first], known)
        if int(new.sum()) >= count:
            break
    return first[_first_new(new, count)]


def unlike(
    candidates: UInt8[Tensor, "n c h w"] | Float[Tensor, "n c h w"],
    known: UInt8[Tensor, "m c h w"] | Float[Tensor, "m c h w"],
) -> Bool[Tensor, " n"]:
    """Tell which candidates are no near-duplicate of a known image or of an earlier candidate.

    Two images are near-duplicates where their means over a 7x7 grid fall into the same of 12 steps, all of them.
    """
    codes = torch.cat([_codes(known), _codes(candidates)])
    _, group = torch.unique(codes, return_inverse=True)
    first = torch.full((len(codes),), len(codes)).scatter_reduce(0, group, torch.arange(len(codes)), "amin")
    return first[group[len(known) :]] == torch.arange(len(known), len(codes))


def _codes(pixels: UInt8[Tensor, "n c h w"] | Float[Tensor, "n c h w"]) -> Int[Tensor, " n"]:
    """A whole number for each image that near-duplicates share."""
    means = thumbnails(pixels)
    factors = torch.randint(-(2**62), 2**62, means.shape[1:], generator=torch.Generator().manual_seed(0))
    # Whole numbers wrap around, so that this is a hash.
    return torch.cat([((part * _STEPS).long() * factors).sum(dim=1) for part in means.split(_PART)])


def known_images(answers: Answers) -> UInt8[Tensor, "n c h w"] | Float[Tensor, "n c h w"]:
    """Give the answered images that no other one is to be like.

    A picture that was set aside more than once is frequent in the pool: one of it is to be asked about and learned.
    """
    rows = answers.unseen()
    codes = _codes(answers.images.pixels[rows])
    each, counts = codes.unique(return_counts=True)
    frequent = rows[torch.isin(codes, each[counts > 1])]
    if not len(frequent):
        return answers.images.pixels
    wanted = torch.ones(len(answers), dtype=torch.bool)
    wanted[frequent] = False
    return answers.images.pixels[wanted]


def _first_new(new: Bool[Tensor, " n"], count: int) -> Int[Tensor, " b"]:
    """Give the places of what is new, in its order, and then of the others."""
    return (~new).to(torch.uint8).argsort(stable=True)[:count]
