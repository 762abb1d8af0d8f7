"""A committee is of the networks that copy the first answers best, and of the usual ones where none surely does."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from db3kd.answers import Answers
from db3kd.models import weights
from db3kd.pipeline.budget import Budget
from db3kd.pipeline.kept import kept_committee
from db3kd.pipeline.teach import STUDENT
from db3kd.pipeline.trial import TRIAL, tried
from db3kd.runs import Run
from db3kd.training import Committee
from made_answers import answered
from made_runs import Small, keeper_of, stories, told

USUAL, BLIND = "made_networks:one_layer", "made_networks:blind"
OPENING = 400


@pytest.fixture(autouse=True)
def _long_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which network is better shows after more than the two epochs that other tests of this room have."""
    monkeypatch.setattr("db3kd.training.committee._MOST_EPOCHS", 60)


@pytest.fixture
def answers() -> Answers:
    return answered(500)


def _architecture(answers: Answers, folder: Path, *kinds: str) -> str:
    with Run(folder) as run:
        keeper = keeper_of(run)
        settled = [tried(Committee(kinds[0], rivals=kinds[1:]), answers, OPENING, keeper) for _ in range(2)]
        assert keeper.count(TRIAL) == (len(kinds) if kinds[1:] else 0)
    assert settled[0] == settled[1]
    assert not settled[0].rivals
    return settled[0].architecture


def test_the_network_that_copies_better_is_taken(answers: Answers, tmp_path: Path) -> None:
    assert _architecture(answers, tmp_path / "worse-first", BLIND, USUAL) == USUAL
    assert _architecture(answers, tmp_path / "better-first", USUAL, BLIND) == USUAL


def test_without_a_sure_gain_the_usual_one_stays(answers: Answers, tmp_path: Path) -> None:
    assert _architecture(answers, tmp_path / "same", "made_networks:two_layers", "made_networks:two_layers") == (
        "made_networks:two_layers"
    )
    assert _architecture(answers, tmp_path / "alone", USUAL) == USUAL


def test_it_is_told_once(answers: Answers, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        _architecture(answers, tmp_path, BLIND, USUAL)
    assert caplog.text.count("that they had not learned") == 1


def test_later_answers_do_not_change_the_choice(answers: Answers, tmp_path: Path) -> None:
    committee = Committee(BLIND, rivals=(USUAL,))
    with Run(tmp_path) as run:
        keeper = keeper_of(run)
        early = tried(committee, answers.take(torch.arange(OPENING)), OPENING, keeper)
        lines = run.lines()
        assert tried(committee, answers, OPENING, keeper) == early
        assert run.lines() == lines


def test_images_at_hand_are_learned_from_as_the_committee_will(answers: Answers, tmp_path: Path) -> None:
    committee = Committee(BLIND, rivals=(USUAL,), seen=150_000)
    with Run(tmp_path) as run:
        settled = tried(committee, answers, OPENING, keeper_of(run), answers.images)
    assert settled == committee.of(USUAL)


def test_a_run_has_a_committee_of_what_was_taken_and_a_student_that_nobody_named_is_like_it(tmp_path: Path) -> None:
    story = stories(Small())["priors"]
    assert story.committee is not None
    story = replace(
        story,
        committee=replace(story.committee, architecture=BLIND, rivals=(USUAL,)),
        rounds=replace(story.rounds, opening=0.8),
        budget=Budget(250, repeats=0),
        student=replace(story.student, follows=True),
    )
    purchase, _ = told(story, tmp_path)
    assert purchase.committee is not None
    assert purchase.committee.architecture == USUAL
    assert all(isinstance(member, nn.Sequential) for member in purchase.bought.committee)
    with Run(tmp_path) as run:
        learned = keeper_of(run).look(STUDENT, weights.FORMAT)
        assert learned is not None
        assert learned.about["architecture"] == USUAL
        settled = kept_committee(keeper_of(run), story.committee)
        assert settled is not None
        assert settled.architecture == USUAL
