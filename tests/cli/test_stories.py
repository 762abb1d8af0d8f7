"""The whole job and its parts: with images, without, from another run; what they print, and what they foretell."""

import json
from pathlib import Path

import pytest

from command_line import SMALL, TEACHER, Caller, settings
from logged_teacher import rows_seen, write_images

BD = ("label", *TEACHER, "--search", "bd", *settings(search__exemplars=3))
COMMITTEE = settings(
    committee__architecture="made_networks:one_layer", committee__members=2, committee__choosers=2, committee__seen=60
)
BRIEF = settings(committee__recipe__epochs=2, rounds__number=1, rounds__candidates=2)
NOISE = settings(pool__images_per_class=3, pool__images_per_round=40, pool__rounds=3)
PUSHES = settings(pool__steps=2, pool__keep="[1,2]", pool__queries_per_step=20, pool__search__directions=8)
SYNTHESIZE = ("synthesize", *TEACHER, "--pool", "repulsion", *NOISE, *PUSHES)


def _states(call: Caller, run: Path) -> dict[str, str]:
    return {stage["name"]: stage["state"] for stage in call("status", run, "--json").figures["stages"]}


def test_a_plan_is_done_whole_and_again_does_nothing(call: Caller, plan: Path, log: Path, tmp_path: Path) -> None:
    report = call("distill", "--plan", plan, "--run", tmp_path / "run", "--json").figures
    assert [student["name"] for student in report["students"]] == [
        "true-labels",
        "hard-decisions",
        "smoothed-decisions",
    ]
    assert report["queries"]["total"] + 12 == rows_seen(log)
    assert report["queries"]["held_out"] == {"held-out": 12}
    assert all(0 <= student["agreement"] <= 1 for student in report["students"])
    seen = rows_seen(log)
    # The plan is in the run.
    assert "decisions, smoothed" in call("distill", "--run", tmp_path / "run").out
    assert rows_seen(log) == seen
    status = call("status", tmp_path / "run", "--json").figures
    assert {stage["state"] for stage in status["stages"]} == {"done"}
    assert status["left"] == {"total": 100_000 - report["queries"]["total"]}
    assert status["money"] == report["queries"]["money"] == pytest.approx(seen * 1.5 / 1000)
    assert report["queries"]["prices"]["per_1000"] == 1.5
    assert status["repeats"] == {"asked": 16, "changed": 0}
    shown = call("status", tmp_path / "run").out
    assert "left of the budget" in shown
    assert "USD, held-out queries too" in shown


@pytest.mark.slow
def test_label_distill_evaluate_report_one_after_the_other(
    call: Caller, images: str, log: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    bought = call(*BD, "--images", images, "--run", run, "--json").figures
    assert bought["queries"]["total"] == rows_seen(log) > 24
    assert bought["distances"]["pairs"] == 72
    assert bought["asking"]["class_histogram"] == [6, 6, 6, 6]
    rules = settings(lesson__classes="true", lesson__softening="inverse")
    call("distill", "--run", run, *SMALL, *rules)
    report = call("evaluate", run, "--held-out", images, "--json").figures
    assert report["queries"]["total"] == bought["queries"]["total"] + 16
    assert [(student["name"], student["queries"]) for student in report["students"]] == [
        ("bd", bought["queries"]["total"])
    ]
    assert json.loads((run / "report.json").read_text()) == report
    page = (run / "report.html").read_bytes()
    (run / "report.html").unlink()
    assert "boundary distance" in call("report", run).out
    assert (run / "report.html").read_bytes() == page
    assert call("report", run, "--json").figures == report
    assert rows_seen(log) == report["queries"]["total"] + 12
    # Baselines are trained by `distill`, now that there is something to measure them on.
    again = call("distill", "--run", run, "--json").figures
    assert [student["name"] for student in again["students"]] == ["true-labels", "hard-decisions", "bd"]
    assert rows_seen(log) == report["queries"]["total"] + 12


def test_what_one_run_bought_teaches_a_student_in_another(call: Caller, images: str, log: Path, tmp_path: Path) -> None:
    call(*BD, "--images", images, "--run", tmp_path / "bought")
    seen, other = rows_seen(log), tmp_path / "other"
    asked = ("distill", "--from", tmp_path / "bought", "--run", other, *SMALL)
    inverse = settings(lesson__softening="inverse")
    told = call(*asked, *inverse, "--dry-run", "--json").figures
    assert told["total"]["most"] == 0
    report = call(*asked, *inverse, "--json").figures
    assert [(student["name"], student["queries"]) for student in report["students"]] == [("bd", seen)]
    assert report["queries"]["total"] == 0
    assert call("distill", "--run", other, "--json").figures["students"] == report["students"]
    measured = call("evaluate", other, "--held-out", images, "--json").figures
    assert measured["students"][0]["accuracy"] is not None
    assert rows_seen(log) == seen + 12


@pytest.mark.slow
def test_a_budget_below_the_pool_is_a_run_like_any_other_and_a_larger_one_goes_on(
    call: Caller, images: str, log: Path, tmp_path: Path
) -> None:
    write_images(tmp_path / "tiny.npz", train=80)
    # So small a committee chooses only where any may.
    chosen = settings(rounds__trusted_from=0.0)
    asked = ("distill", *TEACHER, "--images", images, *SMALL, *chosen, "--run", tmp_path / "run")
    report = call(*asked, "--budget", 30, "--json").figures
    assert report["queries"]["total"] == rows_seen(log) == 30
    assert [student["name"] for student in report["students"]] == ["opinions"]
    assert report["asking"]["by_origin"] == {"images": 3, "spread/images": 5, "chosen/images": 22}
    assert report["asking"]["trust"]["images"] == 3
    report = call("distill", "--run", tmp_path / "run", "--budget", 96, "--json").figures
    assert report["queries"]["by_stage"] == {"answers": 80, "repeats": 16}
    assert rows_seen(log) == 96
    report = call("distill", "--run", tmp_path / "other", "--from", tmp_path / "run", *SMALL, "--json").figures
    assert [student["name"] for student in report["students"]] == ["opinions"]
    assert rows_seen(log) == 96


def test_without_images_some_are_made(call: Caller, images: str, log: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    asked = (*TEACHER, "--budget", 120, *COMMITTEE, *BRIEF)
    told = call("synthesize", "--run", run, *asked, "--dry-run", "--no-measure", "--json").figures
    assert (told["total"]["most"], told["budget"]["enough"]) == (120, True)
    assert rows_seen(log) == 0
    assert not run.exists()
    made = call("synthesize", "--run", run, *asked, "--json").figures
    assert made["queries"]["by_stage"] == {"answers": 120}
    assert (made["asking"]["pool"], made["asking"]["acquisition"]) == ("priors", "disagreement")
    assert (run / "pictures.png").read_bytes().startswith(b"\x89PNG")
    lesson = settings(lesson__kind="candidates", lesson__candidates=64)
    report = call("distill", "--run", run, *SMALL, *lesson, "--json").figures
    assert [student["name"] for student in report["students"]] == ["opinions"]
    assert report["asking"]["trust"]["images"] > 0
    assert "what the teacher answered" in call("distill", "--run", run).out
    measured = call("evaluate", run, "--held-out", images, "--json").figures
    assert {student["name"] for student in measured["students"]} == {"opinions", "committee"}
    assert rows_seen(log) == 132
    # The budget leaves nothing for repeats, so that they are no part of it.
    assert set(_states(call, run).values()) == {"done"}


def test_repulsion_makes_images_that_are_measured_and_learned_in_the_same_run(
    call: Caller, images: str, log: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    told = call(*SYNTHESIZE, "--run", run, "--dry-run", "--no-measure", "--json").figures["total"]
    made = call(*SYNTHESIZE, "--run", run, "--json").figures
    spent = rows_seen(log)
    assert made["queries"]["total"] == spent <= told["most"]
    assert made["queries"]["by_stage"] == made["repulsion"]["queries"]
    assert "mean push" in call(*SYNTHESIZE, "--run", run).out
    report = call("distill", "--run", run, *SMALL, "--held-out", images, "--json").figures
    assert report["repulsion"] == made["repulsion"]
    assert report["students"][-1]["queries"] == spent == rows_seen(log) - 12
    assert set(_states(call, run).values()) == {"done"}
    search = ("label", "--run", run, "--search", "bd", *settings(search__exemplars=1))
    assert call(*search, "--json").figures["distances"]["method"] == "bd"


def test_images_at_hand_may_be_surrogates_beside_made_ones(
    call: Caller, images: str, log: Path, tmp_path: Path
) -> None:
    asked = ("synthesize", *TEACHER, "--budget", 60, "--pool", "surrogates", "--run", tmp_path / "run")
    assert "images.source" in call(*asked, expect=2).err
    label = (
        "label",
        *TEACHER,
        "--images",
        images,
        "--budget",
        60,
        *settings(pool="surrogates", acquisition="random", rounds__candidates=2),
    )
    found = call(*label, "--run", tmp_path / "run", "--json").figures["asking"]["by_origin"]
    assert found["surrogates"] > 0
    assert len(found) > 3


def test_opinions_on_images_at_hand_are_learned_where_all_of_them_were_asked(
    call: Caller, images: str, log: Path, tmp_path: Path
) -> None:
    asked = ("distill", *TEACHER, "--images", images, *SMALL, *COMMITTEE, *settings(lesson__kind="candidates"))
    (student,) = call(*asked, *BRIEF[:2], "--run", tmp_path / "run", "--json").figures["students"]
    assert (student["name"], student["images"]) == ("opinions", 24)


def test_a_run_of_recorded_answers_pays_for_none_again(call: Caller, images: str, log: Path, tmp_path: Path) -> None:
    call(*BD, "--images", images, "--run", tmp_path / "run", *settings(budget__record="true"))
    seen = rows_seen(log)
    recorded = settings(budget__recorded=f'["{tmp_path / "run"}"]')
    found = call(*BD, "--images", images, "--run", tmp_path / "other", *recorded, "--json").figures
    assert found["queries"]["total"] == 0
    replay = ("label", "--teacher", f"recorded:{tmp_path / 'run'}", "--images", images, "--search", "bd")
    call(*replay, *settings(search__exemplars=3), "--run", tmp_path / "third")
    assert rows_seen(log) == seen
