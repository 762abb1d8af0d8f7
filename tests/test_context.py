"""Where work is done: nobody hears of it unless somebody is named, and only the cores at hand are counted."""

import os

import pytest

from db3kd.context import HERE, Context, Progress, Tracker, count_cores, silent, untracked


def test_nobody_hears_of_work_by_default() -> None:
    assert Context("cpu", 0, silent, untracked, clustered=False) == HERE
    assert isinstance(silent, Progress)
    assert isinstance(untracked, Tracker)


def test_only_cores_that_the_process_may_use_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {1, 5, 6}, raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    assert count_cores() == 3


@pytest.mark.parametrize(("there", "counted"), [(8, 8), (None, 1)])
def test_elsewhere_than_on_linux_all_count_and_one_at_least(
    monkeypatch: pytest.MonkeyPatch, there: int | None, counted: int
) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: there)
    assert count_cores() == counted
