"""Mixtures and held-out images are asked about once, on the account that they belong to."""

from pathlib import Path

import torch

from db3kd.acquisition import Step
from db3kd.answers import MIXTURE
from db3kd.pipeline.ask_all import ask_held_out, ask_mixtures
from db3kd.pipeline.ask_pool import AskPool
from db3kd.pipeline.budget import Budget
from db3kd.runs import Run
from made_runs import Small, images, keeper_of, story, untouched


def test_held_out_images_are_outside_the_budget_and_keep_their_labels(tmp_path: Path) -> None:
    teacher = Small()
    with Run(tmp_path) as run:
        held_out = images(9, seed=3, labelled=True)
        answers = keeper_of(run).perform(ask_held_out(teacher, held_out))
        again = keeper_of(run).perform(ask_held_out(untouched(teacher), held_out))
        statement = run.statement()
    assert (statement.total, statement.held_out, teacher.rows) == (0, {"held-out": 9}, 9)
    assert torch.equal(answers.decisions, again.decisions)
    assert torch.equal(answers.decisions, Small()(held_out.images()))
    assert answers.images.labels is not None
    assert answers.images.ids == held_out.ids


def test_mixtures_are_made_of_learned_answers_and_a_budget_may_leave_some_out(tmp_path: Path) -> None:
    teacher = Small()
    with Run(tmp_path) as run:
        keeper = keeper_of(run)
        answers = keeper.perform(AskPool(story(teacher), 0, (Step("lot", 24),))).answers
        for total, count in ((34, 8), (100, 20)):
            asked = keeper.perform(ask_mixtures(teacher, answers, 20, budget=Budget(total), seed=0))
            assert len(asked) == count
        statement = run.statement()
    assert statement.by_stage == {"answers": 24, "mixtures": 20}
    assert set(asked.origins) == {MIXTURE}
    assert torch.equal(asked.decisions, Small()(asked.images.images()))
