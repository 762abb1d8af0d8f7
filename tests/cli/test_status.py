"""`db3kd status`: what of a run is done, spent and left, also while it is being written."""

import json
import os
import re
import signal
from pathlib import Path

import pytest

from command_line import TEACHER, Caller, settings, start
from db3kd.runs import Run
from known_teachers import Failing, Flaky
from logged_teacher import rows_seen
from made_runs import Small, Stopped, concluded, spent, story, told, untouched
from made_runs import images as made_images

BD = ("label", *TEACHER, "--search", "bd", *settings(search__exemplars=3, search__queries_per_pair=60))


def test_a_stage_has_a_budget_of_its_own(call: Caller, bd: tuple[str, ...], log: Path, tmp_path: Path) -> None:
    call(*bd, "--run", tmp_path / "run", *settings(budget__distances=400))
    left = call("status", tmp_path / "run", "--json").figures["left"]
    assert left == {"distances": 400 - (spent(tmp_path / "run") - 24)}
    assert call("status", tmp_path / "run").out.count("no limit") == 2
    assert spent(tmp_path / "run") == rows_seen(log) <= 424


def test_what_was_charged_again_is_counted_once_over_sessions_and_shown(call: Caller, tmp_path: Path) -> None:
    run, shown = tmp_path / "run", "of these charged again after a connection or a replica was lost"
    # The third call loses 5 rows; the fifth, of 8, is in flight when the first session ends.
    with pytest.raises(Stopped):
        told(story(Failing(Flaky(Small(), maybe_served=frozenset({3})), 5, Stopped)), run)
    status = call("status", run, "--json").figures["queries"]
    assert (status["by_stage"], status["charged_again"]) == ({"answers": 21}, {"answers": 5})
    held_out = made_images(6, seed=9)
    report = concluded(story(Flaky(Small(), maybe_served=frozenset({1, 4, 6})), held_out=held_out), run)
    assert report.queries.by_stage == {"answers": 24 + 5 + 8 + 8, "repeats": 4 + 4}
    assert report.queries.charged_again == {"answers": 13, "repeats": 4, "held-out": 6}
    assert concluded(story(untouched(Small()), held_out=held_out), run).queries == report.queries
    assert json.loads((run / "report.json").read_text())["queries"]["charged_again"] == report.queries.charged_again
    assert re.search(rf"{shown}</th>\s*<td[^>]*>17<", (run / "report.html").read_text())
    for command in ("status", "report"):
        assert re.findall(rf"{shown} +│ +(\d+) ", call(command, run).out) == ["17", "6"]
    concluded(story(Small()), tmp_path / "well")
    for command in ("status", "report"):
        assert "charged again" not in call(command, tmp_path / "well").out
    assert "charged again" not in (tmp_path / "well/report.html").read_text()


def test_what_is_left_of_a_budget_is_not_known_where_python_said_it(call: Caller, tmp_path: Path) -> None:
    concluded(story(Small()), tmp_path)
    shown = call("status", tmp_path).out
    assert "not known" in shown
    assert "no limit" not in shown


@pytest.mark.slow
def test_status_works_beside_the_process_that_writes(
    call: Caller, bd: tuple[str, ...], log: Path, tmp_path: Path
) -> None:
    stopped = {"LOGGED_SIGNAL": f"{int(signal.SIGSTOP)}@500"}
    process = start(*bd, "--run", tmp_path / "run", environment=stopped)
    try:
        _, ended = os.waitpid(process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(ended)
        status = call("status", tmp_path / "run", "--json").figures
        assert {stage["name"]: stage["state"] for stage in status["stages"]}["distances"] == "begun"
        assert status["queries"]["total"] >= 500
        assert status["queries"]["unsettled"] > 0
        assert str(process.pid) in call(*bd, "--run", tmp_path / "run", expect=2).err
    finally:
        process.kill()
        process.communicate()
    with Run(tmp_path / "run") as run:
        assert run.statement().total >= rows_seen(log)
