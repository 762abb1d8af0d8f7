"""Where the search wants a committee, one learns from the noise before any of it is pushed."""

from dataclasses import replace
from pathlib import Path

import pytest

from db3kd.boundary import BoundaryDistance
from db3kd.errors import RunMismatch
from db3kd.pipeline.budget import Budget
from db3kd.pipeline.story import Pushed, Story
from db3kd.pipeline.tell import buy, foretell
from db3kd.runs import Run
from made_runs import Small, keeper_of, parts_of, push_noise, spent, stories, untouched


def test_a_committee_learns_from_the_noise_and_guides_the_search(tmp_path: Path) -> None:
    teacher = Small()
    pushed = stories(teacher)["pushed by a committee"].pool
    assert isinstance(pushed, Pushed)
    made = push_noise(tmp_path / "guided", teacher, pushed)
    assert (tmp_path / "guided/noise-committee/00001.safetensors").exists()
    bare = push_noise(tmp_path / "bare", Small(), replace(pushed, committee=None))
    assert made.answers.digest != bare.answers.digest
    assert teacher.rows == spent(tmp_path / "guided")
    # What searches without a guide needs no committee.
    unguided = replace(pushed, repulsion=replace(pushed.repulsion, method=BoundaryDistance(exemplars=2)))
    push_noise(tmp_path / "unguided", Small(), unguided)
    assert not (tmp_path / "unguided/noise-committee").exists()


def test_a_limit_on_mixtures_holds_for_those_of_noise_and_is_not_raised_once_something_was_pushed(
    tmp_path: Path,
) -> None:
    teacher = Small()

    def described(most: int) -> Story:
        return replace(stories(teacher)["pushed by a committee"], budget=Budget(stages={"mixtures": most}, repeats=0))

    with Run(tmp_path) as run:
        keeper = keeper_of(run)
        buy(described(10), keeper)
        assert run.statement().by_stage["noise-mixtures"] == 8
        before = parts_of(tmp_path)
        for refused in (foretell, buy):
            with pytest.raises(RunMismatch, match="for 'noise-mixtures', and what it has bought for 'repulsion'"):
                refused(replace(described(24), teacher=untouched(teacher)), keeper)
        buy(replace(described(10), teacher=untouched(teacher)), keeper)
    assert parts_of(tmp_path) == before
    assert teacher.rows == spent(tmp_path)
