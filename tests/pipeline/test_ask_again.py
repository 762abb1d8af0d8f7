"""A run notices by itself that its teacher is not constant, at a few queries, and harms nothing by it."""

from dataclasses import replace
from pathlib import Path

import pytest

from db3kd.errors import TeacherError
from db3kd.pipeline.ask_again import REPEATS, Repeats, kept_repeats
from db3kd.pipeline.budget import Budget
from db3kd.runs import Keeper, Run
from db3kd.teachers import Teacher
from known_teachers import Failing, Fickle
from made_runs import Small, parts_of, spent, stories, story, told


def _repeats(folder: Path, teacher: Teacher, *, repeats: int = 16, total: int | None = None) -> Repeats | None:
    purchase, _ = told(story(teacher, budget=Budget(total, repeats=repeats)), folder)
    assert kept_repeats(Keeper(Run(folder))) == purchase.repeats
    return purchase.repeats


def test_a_constant_teacher_is_found_constant_and_is_asked_once(tmp_path: Path) -> None:
    teacher = Small()
    assert _repeats(tmp_path, teacher) == _repeats(tmp_path, teacher) == Repeats(16, 0)
    with Run(tmp_path) as run:
        assert run.statement().by_stage[REPEATS] == 16
    assert teacher.rows == spent(tmp_path) == 40
    assert Repeats(16, 0).warnings == ()


@pytest.mark.parametrize("share", [0.2, 0.5])
def test_a_teacher_that_flips_some_answers_is_found_out(tmp_path: Path, share: float) -> None:
    found = _repeats(tmp_path, Fickle(Small(), share))
    assert found is not None
    # Either of two answers may be the flipped one.
    assert abs(found.changed / found.asked - (1 - (1 - share) ** 2)) < 0.4
    assert f"{found.changed} of 16" in found.warnings[0]


def test_no_more_is_asked_again_than_there_is_and_nothing_where_it_is_not_wanted(tmp_path: Path) -> None:
    teacher = Small()
    assert _repeats(tmp_path / "all", teacher, repeats=100) == Repeats(24, 0)
    assert _repeats(tmp_path / "none", teacher, repeats=0) is None
    assert teacher.rows == 72


def test_a_budget_that_is_enough_for_the_rest_is_enough(tmp_path: Path) -> None:
    first, second = Small(), Small()
    described = replace(stories(first)["distances"], budget=Budget(repeats=0))
    told(described, tmp_path / "first")
    total = first.rows + 3
    purchase, _ = told(replace(described, teacher=second, budget=Budget(total, repeats=4)), tmp_path / "second")
    assert purchase.repeats is None
    assert second.rows == first.rows
    assert parts_of(tmp_path / "second") == parts_of(tmp_path / "first")
    # With more of it, they are asked after all.
    purchase, _ = told(replace(described, teacher=second, budget=Budget(total + 1, repeats=4)), tmp_path / "second")
    assert purchase.repeats == Repeats(4, 0)


def test_once_known_it_stays_known_where_further_answers_come(tmp_path: Path) -> None:
    teacher = Small()
    for stages in ({"answers": 10}, {}):
        purchase, _ = told(story(teacher, budget=Budget(stages=stages, repeats=4)), tmp_path)
        assert purchase.repeats == Repeats(4, 0)
    assert teacher.rows == spent(tmp_path) == 28


def test_a_teacher_that_is_gone_when_it_is_asked_again_harms_nothing(tmp_path: Path) -> None:
    # The first image alone, two more, the rest of their batch, two more batches: then it is asked again.
    gone = Failing(Small(), 6, lambda: TeacherError("gone"))
    assert _repeats(tmp_path, gone) is None
    assert gone.calls == 6
    assert (tmp_path / "student.safetensors").exists()
