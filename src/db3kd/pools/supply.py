"""Candidates as they come: fresh ones, and children of answered images where a pool makes some."""

import torch

from db3kd.answers import Answers, Candidates, together
from db3kd.arguments import check_arguments
from db3kd.pools.pool import Pool


def supply(pool: Pool, answers: Answers, count: int, generator: torch.Generator) -> Candidates:
    """Give candidates of a pool in random order, fewer where it runs out; without an answer, all of them are fresh."""
    check_arguments(supply, locals())
    if pool.size is not None and not pool.children:
        # They were drawn in random order; another copy of most of a pool would be the largest thing in memory.
        return pool.draw(count, answers, generator)
    of_answers = round(pool.children * count) if len(answers) else 0
    made = pool.draw(count - of_answers, answers, generator)
    if of_answers:
        made = together([made, pool.offspring(answers, of_answers, generator)])
    return made.take(torch.randperm(len(made), generator=generator))
