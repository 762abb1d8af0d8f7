"""`--dry-run`: queries, time and money are told beforehand, and nothing is written."""

from pathlib import Path

import pytest

from command_line import Caller, settings
from logged_teacher import rows_seen


def test_tells_queries_time_and_money_and_writes_nothing(call: Caller, plan: Path, log: Path, tmp_path: Path) -> None:
    asked = ("distill", "--plan", plan, "--run", tmp_path / "run", "--dry-run")
    found = call(*asked, "--json").figures
    assert [(stage["stage"], stage["most"]) for stage in found["stages"]] == [
        ("answers", 24),
        ("distances", 24 * 3 * 80),
        ("repeats", 16),
        ("held-out", 12),
    ]
    assert found["total"]["ahead"] == 5_800
    assert found["total"]["money"] == pytest.approx(5.8 * 1.5)
    assert found["with_held_out"]["ahead"] == 5_812
    assert found["with_held_out"]["money"] == pytest.approx(5.812 * 1.5)
    assert found["total"]["seconds"] == pytest.approx(5_800 / found["speed"]["rows_per_second"])
    assert found["budget"] == {"total": 100_000, "left": 100_000, "enough": True}
    seen = rows_seen(log)
    assert found["speed"]["asked"] == seen > 0
    done = call(*asked, "--no-measure")
    assert "5,800" in done.out
    assert "with held-out queries" in done.out
    assert "USD" in done.out
    assert "not asked" in done.err
    assert rows_seen(log) == seen
    assert not (tmp_path / "run").exists()


def test_replicas_share_the_time(call: Caller, plan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGGED_SECONDS", "0.02")
    asked = ("distill", "--plan", plan, "--run", tmp_path / "run", "--dry-run", "--json")
    alone, spread = (
        call(*asked, *more).figures["speed"]["rows_per_second"]
        for more in ((), ("--ray", "local", *settings(cluster__replicas=16)))
    )
    assert spread > 4 * alone


def test_what_is_done_is_not_told_again_and_what_the_run_would_refuse_is_refused(
    call: Caller, plan: Path, log: Path, tmp_path: Path
) -> None:
    asked = ("distill", "--plan", plan, "--run", tmp_path / "run")
    call(*asked)
    seen = rows_seen(log)
    assert call(*asked, "--dry-run", "--json").figures["total"]["ahead"] == 0
    assert "done" in call(*asked, "--dry-run").out
    assert rows_seen(log) == seen
    done = call(*asked, "--dry-run", *settings(search__queries_per_pair=300), expect=2)
    assert "search.queries_per_pair is 80" in done.err
