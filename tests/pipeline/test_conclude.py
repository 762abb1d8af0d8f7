"""The report says what was spent, measured and set aside; it is in the run, as a file and as a page."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from db3kd.answers import Answers
from db3kd.data import from_arrays
from db3kd.errors import ArtifactError, RunError
from db3kd.ledger import Prices
from db3kd.pipeline.bought import Bought
from db3kd.pipeline.budget import Budget
from db3kd.pipeline.conclude import asking_figures, read_report
from db3kd.pipeline.tell import Purchase
from db3kd.pools import ImagePool
from db3kd.runs import Run
from known_teachers import Fickle
from made_runs import STUDENT, Small, concluded, images, stories, story


def test_students_are_measured_on_held_out_images(tmp_path: Path) -> None:
    described = replace(
        stories(Small())["distances"],
        pool=ImagePool(images(labelled=True)),
        student=replace(STUDENT, baselines=("true-labels", "hard-decisions")),
        names={"teacher": "a <small> one", "parameters": "75"},
    )
    report = concluded(described, tmp_path)
    assert [figures.name for figures in report.students] == ["true-labels", "hard-decisions", "bd"]
    labels, decisions, own = report.students
    bought = report.queries.by_stage
    assert (labels.queries, decisions.queries) == (0, 24)
    assert own.queries == bought["answers"] + bought["distances"]
    assert all(one.accuracy is not None and one.agreement is not None and one.parameters for one in report.students)
    assert all(one.last_loss is not None for one in report.students)
    assert (report.teacher.name, report.teacher.parameters) == ("a <small> one", 75)
    assert report.teacher.accuracy is not None
    assert report.queries.held_out == {"held-out": 6}
    assert report.seconds is not None
    assert len(report.distances) == 1
    page = (tmp_path / "report.html").read_text()
    assert "a &lt;small&gt; one" in page
    with Run(tmp_path) as run:
        assert read_report(run) == report


def test_money_is_for_all_that_the_teacher_was_asked_and_stands_on_the_page(tmp_path: Path) -> None:
    teacher = Small()
    priced = Budget(repeats=0, prices=Prices(per_1000=1000.0, currency="CHF"))
    queries = concluded(story(teacher, held_out=images(12, seed=9), budget=priced), tmp_path).queries
    assert (queries.total, queries.money, queries.prices) == (24, teacher.rows, priced.prices)
    assert teacher.rows == 36
    page = (tmp_path / "report.html").read_text()
    assert "36.00 CHF" in page
    assert "for queries and tokens, held-out ones too" in page


def test_without_a_price_there_is_no_money(tmp_path: Path) -> None:
    queries = concluded(story(Small()), tmp_path).queries
    assert (queries.money, queries.prices) == (None, None)


def test_what_a_committee_was_worth_is_told(tmp_path: Path) -> None:
    described = replace(stories(Small())["guided"], held_out=images(8, seed=4, labelled=True))
    report = concluded(described, tmp_path)
    assert [figures.name for figures in report.students] == ["opinions", "committee"]
    committee = report.committee
    assert committee is not None
    assert (committee.members, committee.queries) == (2, 48)
    assert committee.agreement is not None
    assert committee.passes
    assert committee.seconds
    assert report.students[1].parameters == 2 * (report.students[0].parameters or 0)


def test_of_a_very_large_pool_the_report_counts_what_the_student_was_taught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("db3kd.pipeline.teach._LIMITS", (50, 30, 30))
    described = stories(Small())["pool"]
    assert described.images is not None
    assert len(described.images) > 30
    report = concluded(described, tmp_path)
    assert [(one.name, one.images) for one in report.students if one.name == "opinions"] == [("opinions", 30)]


def test_rounds_are_told_with_gains_and_trust(tmp_path: Path) -> None:
    report = concluded(stories(Small())["rounds"], tmp_path)
    asking = report.asking
    assert asking is not None
    assert (asking.pool, asking.acquisition, asking.queries, asking.planned, asking.ended) == (
        "images",
        "disagreement",
        24,
        24,
        "all",
    )
    assert asking.trust is not None
    assert asking.trust.images == 4
    assert len(asking.gains) == 1


def test_pushed_images_are_told_with_what_they_cost(tmp_path: Path) -> None:
    report = concluded(stories(Small())["pushed"], tmp_path)
    repulsion = report.repulsion
    assert repulsion is not None
    assert repulsion.queries == {name: report.queries.by_stage[name] for name in ("noise", "repulsion")}
    assert report.students[-1].queries == report.queries.total
    assert (tmp_path / "pictures.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_a_teacher_that_is_not_constant_shows(tmp_path: Path, share: float) -> None:
    teacher = Fickle(Small(), share)
    report = concluded(story(teacher, budget=Budget(repeats=16)), tmp_path)
    assert report.queries.repeated == 16
    assert bool(report.queries.changed) == bool(share)
    assert len(report.notes) == bool(share)
    assert all("not constant" in note for note in report.notes)


def test_a_run_without_a_report_or_with_an_edited_one_is_told(tmp_path: Path) -> None:
    with Run(tmp_path) as run:
        with pytest.raises(RunError, match=r"no report\.json yet"):
            read_report(run)
        run.put("report.json", b"{}")
        with pytest.raises(ArtifactError):
            read_report(run)


def test_answers_are_counted_by_class_and_origin() -> None:
    answers = Answers(
        from_arrays(torch.zeros(4, 1, 2, 2)),
        torch.tensor([0, 2, 0, 3]),
        ("images", "noise", "images", "noise"),
        3,
        torch.zeros(4, dtype=torch.bool),
    )
    bought = Bought(answers, answers.take(torch.arange(0)))
    counted = asking_figures(story(Small()), Purchase(bought, planned=9, ended="budget"))
    assert (counted.pool, counted.acquisition, counted.planned, counted.ended) == ("images", "random", 9, "budget")
    assert (counted.queries, counted.class_histogram, counted.abstained) == (4, (2, 0, 1), 1)
    assert counted.never_decided == (1,)
    assert counted.by_origin == {"images": 2, "noise": 2}
