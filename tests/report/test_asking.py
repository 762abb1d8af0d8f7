"""What a report says of the questions: trust, gains, origins, and what never came."""

import pytest
from pydantic import ValidationError

from db3kd.evaluation import ClassScore, Gain, OriginScore, Trust
from db3kd.report import asking
from db3kd.report.figures import AskingFigures, Queries, RepulsionFigures, StudentFigures, TeacherFigures
from db3kd.report.page import render
from db3kd.report.schema import Report, from_json, to_json

TRUST = Trust(
    images=50,
    agreement=0.8,
    lower=0.67,
    upper=0.89,
    mean_over_classes=0.7,
    classes=(
        ClassScore(0, None, None, 45, 0.82),
        ClassScore(1, None, None, 5, 0.6),
        ClassScore(2, None, None, 0, None),
    ),
    origins=(OriginScore("dead leaves", 50, 0.8),),
)
GAINS = (Gain(500, 1_000, 50, 0.7, 0.8, 0.05), Gain(1_000, 2_000, 80, 0.8, 0.9, 0.03, learned_longer=True))


def _asked(**changed: object) -> AskingFigures:
    known: dict[str, object] = {
        "pool": "priors",
        "acquisition": "disagreement",
        "queries": 1_000,
        "planned": 1_000,
        "ended": "all",
        "class_histogram": (900, 90, 0),
        "abstained": 10,
        "never_decided": (2,),
        "by_origin": {"dead leaves": 950, "recombined/strokes": 50},
        "gains": GAINS,
        "trust": TRUST,
    }
    return AskingFigures.model_validate(known | changed)


def _report(asked: AskingFigures) -> Report:
    return Report(
        title="a student",
        db3kd_version="0",
        teacher=TeacherFigures(),
        students=(StudentFigures(name="opinions"),),
        queries=Queries(total=1_000),
        class_names=("<coat>", "bag", "ankle boot"),
        asking=asked,
    )


def test_answers_that_are_no_class_are_counted_and_shown() -> None:
    assert asking.asking_table(_asked()).rows[3][:3] == ("no class", "10", "1.00%")
    assert any("gave no class in 10 of 1,000 queries (1.00%)" in note for note in asking.trust_notes(_asked()))
    every = _asked(abstained=0, class_histogram=(910, 90, 0))
    assert not any("no class" in note for note in asking.trust_notes(every))


def test_a_class_that_never_came_is_named_on_the_page() -> None:
    report = _report(_asked())
    assert from_json(to_json(report)) == report
    page = render(report, sheet=b"\x89PNG")
    assert "never decided for class ankle boot" in page
    assert "never decided: unknown" in page
    assert "80.00% of 50 answers" in page
    assert "67.00% to 89.00%" in page
    assert "recombined/strokes" in page
    assert "+10.00 ± 5.00" in page
    assert "what the committee thinks" in page
    assert "&lt;coat&gt;" in page
    assert "<coat>" not in page


def test_a_run_that_sets_nothing_aside_shows_its_answers_alone() -> None:
    asked = _asked(pool="images", gains=(), trust=None, by_origin={"images": 1_000})
    page = render(_report(asked))
    assert "only held-out images can tell" in page
    for absent in ("answers that no training saw", "What each round gained", "Answers by origin"):
        assert absent not in page
    assert asking.asking_table(asked).rows[0] == ("0", "900", "90.00%")


def test_tables_count_every_class_and_say_why_asking_ended() -> None:
    table = asking.asking_table(_asked())
    assert [row[:2] for row in table.rows] == [
        ("0", "900"), ("1", "90"), ("2", "0"), ("no class", "10"), ("all", "1,000")
    ]  # fmt: skip
    assert {len(row) for row in table.rows} == {len(table.columns)}
    assert asking.origin_table(_asked()).rows == (
        ("dead leaves", "950", "50", "80.00%"),
        ("recombined/strokes", "50", "0", "–"),
    )
    assert [row[-1] for row in asking.gain_table(_asked()).rows] == ["answers", "answers and longer learning"]
    assert len(asking.trust_notes(_asked())) == 3
    assert "no longer gained" in asking.trust_notes(_asked(ended="flat", planned=2_000))[-1]
    assert "budget was spent after 1,000 of 2,000" in asking.trust_notes(_asked(ended="budget", planned=2_000))[-1]
    assert asking.trust_notes(None) == ()
    assert asking.asking_table(None).rows == asking.gain_table(None).rows == asking.origin_table(None).rows == ()


def test_many_classes_that_never_came_are_counted() -> None:
    never = tuple(range(1, 40))
    asked = _asked(class_histogram=(990, *[0] * 39), never_decided=never, trust=None)
    assert "19, 20 and 19 others" in asking.trust_notes(asked)[0]


def test_repulsion_has_a_section_of_its_own() -> None:
    found = RepulsionFigures(
        images=3,
        images_by_class=(3, 0, 0),
        missing=(1, 2),
        queries={"noise": 9},
        noise_by_class=(9, 0, 0),
        starts_by_class=(4, 0, 0),
        distances=(1.0, None, 2.0, 3.0, 4.0, 5.0, 6.0),
        pushes=(0.5,) * 7,
    )
    assert "in class shirt, shoe:" in asking.repulsion_notes(found, ("dress", "shirt", "shoe"))[0]
    assert asking.repulsion_notes(found.model_copy(update={"missing": ()})) == asking.repulsion_notes(None) == ()
    assert asking.repulsion_table(found).rows == (
        ("0", "9", "4", "3"), ("1", "0", "0", "0"), ("2", "0", "0", "0"), ("all", "9", "4", "3")
    )  # fmt: skip
    assert asking.step_table(found).rows == (("0", "1", "0.5"), ("5", "5", "0.5"), ("6", "6", "0.5"))
    assert asking.repulsion_table(None).rows == asking.step_table(None).rows == ()
    page = render(_report(_asked()).model_copy(update={"repulsion": found}), sheet=b"\x89PNG")
    assert "Images made by repulsion" in page
    assert page.count("data:image/png") == 1


def test_figures_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValidationError, match="never to have come"):
        _asked(never_decided=())
    with pytest.raises(ValidationError, match="must add up to 1000"):
        _asked(abstained=0)
    with pytest.raises(ValidationError, match="must add up to 1000"):
        _asked(by_origin={"images": 3})
    with pytest.raises(ValidationError, match="trust in 3 classes"):
        _asked(class_histogram=(900, 90), never_decided=())
    with pytest.raises(ValidationError, match="less than or equal to 1"):
        _asked(gains=(Gain(500, 1_000, 50, 70.0, 0.8, 0.05),))


def test_what_was_asked_about_is_said_in_words() -> None:
    assert asking.asked_about(_asked()) == "images drawn from nothing, chosen where the committee disagrees"
    mixed = _asked(pool="images and stripes:Stripes", acquisition="doubt")
    assert asking.asked_about(mixed) == "the images at hand and stripes:Stripes, chosen by doubt"
