"""A run keeps its plan, names each key that differs, and lets a budget grow."""

from pathlib import Path

import pytest

from db3kd.errors import ArtifactError, RunMismatch
from db3kd.runs import Run

_PLAN: dict[str, object] = {
    "seed": 1,
    "label": {"method": "bd", "classes": (1, 2), "pool": None, "rate": 0.5, "untargeted": False},
    "budget": {"run": 100},
}


def test_the_same_plan_is_taken_again_and_the_file_is_not_touched(tmp_path: Path) -> None:
    with Run(tmp_path) as run:
        run.adopt(_PLAN)
        written = (tmp_path / "plan.toml").stat().st_ino
    with Run(tmp_path) as run:
        plan = run.adopt(_PLAN)
        assert plan == run.plan()
        assert plan["label"] == {"method": "bd", "classes": [1, 2], "rate": 0.5, "untargeted": False}
    assert (tmp_path / "plan.toml").stat().st_ino == written


def test_another_plan_is_refused_naming_every_key_that_differs(tmp_path: Path) -> None:
    with Run(tmp_path) as run:
        run.adopt(_PLAN)
        kept = (tmp_path / "plan.toml").read_bytes()
        other = {
            "seed": 2,
            "label": {"method": "mbd", "classes": [1, 2], "pool": 21, "untargeted": 0},
            "new": {"a": 1},
        }
        with pytest.raises(RunMismatch) as caught:
            run.adopt(other)
        message = str(caught.value)
        for part in (
            "seed is 1 in the run and 2 in",
            'label.method is "bd" in the run and "mbd" in',
            "label.pool is not set in the run and 21 in",
            "label.rate is 0.5 in the run and not set in",
            "label.untargeted is false in the run and 0 in",
            "use another run directory",
        ):
            assert part in message
        assert "classes" not in message
        assert (tmp_path / "plan.toml").read_bytes() == kept


def test_a_new_section_is_added_and_an_absent_one_stays(tmp_path: Path) -> None:
    with Run(tmp_path) as run:
        run.adopt(_PLAN)
        run.adopt({"distill": {"epochs": 30}})
        plan = run.adopt(_PLAN)
        assert set(plan) == {"seed", "label", "budget", "distill"}
        with pytest.raises(RunMismatch, match=r"distill\.epochs"):
            run.adopt({"distill": {"epochs": 31}})


def test_a_budget_may_be_raised(tmp_path: Path) -> None:
    with Run(tmp_path) as run:
        run.adopt(_PLAN)
        run.adopt({**_PLAN, "budget": {"run": 500, "label": 7}})
        run.adopt({"distill": {}})
        assert (run.plan() or {})["budget"] == {"run": 500, "label": 7}


def test_text_that_needs_quoting_comes_back(tmp_path: Path) -> None:
    plan = {"teacher": {"uri": 'python:C:\\a "b"\n\x7f é', "prices": [0.1, 1e-9], "0 odd.key": True}}
    with Run(tmp_path) as run:
        assert run.adopt(plan) == run.plan() == plan


@pytest.mark.parametrize("content", [b"", b"seed = 1\n", b"\xff", b"# What made this run"])
def test_a_plan_of_another_hand_is_refused_and_kept(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "plan.toml").write_bytes(content)
    with Run(tmp_path) as run, pytest.raises(ArtifactError, match=r"plan\.toml"):
        run.adopt(_PLAN)
    assert (tmp_path / "plan.toml").read_bytes() == content


def test_a_plan_that_was_edited_into_no_toml_is_refused(tmp_path: Path) -> None:
    with Run(tmp_path) as run:
        run.adopt(_PLAN)
        with (tmp_path / "plan.toml").open("a") as file:
            file.write("[label\n")
        with pytest.raises(ArtifactError, match=r"plan\.toml"):
            run.adopt(_PLAN)
