"""The committee that guides the guided search: networks that learned the images' decisions and those of mixtures.

It is trained as a run trains its own, by the same stage, and kept where a folder is given. Called by `search`.
"""

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import torch

from db3kd.answers import Answers
from db3kd.boundary import Guide, find_subspace
from db3kd.context import Context
from db3kd.data import Dataset
from db3kd.pipeline.learn import LearnCommittee
from db3kd.pools import mixtures
from db3kd.runs import Keeper, Run
from db3kd.teachers import Teacher
from db3kd.tensors import Int, Tensor
from db3kd.training import Committee


class Guided(NamedTuple):
    """A committee, ready to guide.

    Args:
        guide: for the search.
        queries: what its mixtures cost.
    """

    guide: Guide
    queries: int


def train_guide(
    folder: Path,
    teacher: Teacher,
    images: Dataset,
    decisions: Int[Tensor, " n"],
    *,
    committee: Committee,
    context: Context,
) -> Guided:
    """Ask about mixtures and train a committee on all answers, or read the one that a folder holds."""
    answers = _with_mixtures(teacher, images, decisions, committee.mixtures_for(len(images)), seed=context.seed)
    stage = LearnCommittee("committee", answers, committee, members=committee.members, seed=context.seed)
    with Run(folder) as run:
        members = Keeper(run, context).perform(stage)
    subspace = find_subspace(members, images, committee.subspace, context)
    guide = Guide(members, subspace, bounds=teacher.spec.bounds, device=context.device)
    return Guided(guide, len(answers) - len(images))


def _with_mixtures(
    teacher: Teacher, images: Dataset, decisions: Int[Tensor, " n"], count: int, *, seed: int
) -> Answers:
    """Ask a teacher of our own, which costs nothing but time: its answers are not kept."""
    made, classes = mixtures(images, count, seed=seed), teacher.spec.num_classes
    parts = [teacher(made.take(rows).images()) for rows in torch.arange(count).split(teacher.spec.max_batch)]
    found = torch.cat([decisions, *parts])
    mixed = Dataset("mixtures", made.ids, made.pixels, None, ())
    both = replace(images, labels=None).joined(mixed)
    return Answers(
        both, found, ("images",) * len(images) + made.origins, classes, torch.zeros(len(found), dtype=torch.bool)
    )
