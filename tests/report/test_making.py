"""What a report says of a student that was made without images: its trust, its gain, and what never came."""

import pytest
from pydantic import ValidationError

from db3kd.report import making
from db3kd.report.exploration import Agreement, Exploration, RoundGain
from db3kd.report.page import render
from db3kd.report.schema import Queries, Report, StudentFigures, Synthesis, TeacherFigures, from_json, to_json


def _exploration(**changed: object) -> Exploration:
    known: dict[str, object] = {
        "method": "active",
        "queries": 1_000,
        "planned": 1_000,
        "stopped_early": False,
        "class_histogram": (900, 100, 0),
        "never_decided": (2,),
        "apart": 50,
        "agreement": 0.8,
        "lower": 0.67,
        "upper": 0.89,
        "mean_over_classes": 0.7,
        "classes": (
            Agreement(name="0", images=45, agreement=0.82),
            Agreement(name="1", images=5, agreement=0.6),
            Agreement(name="2", images=0),
        ),
        "kinds": (Agreement(name="dead leaves", images=50, agreement=0.8),),
        "gains": (
            RoundGain(queries=1_000, images=50, before=0.7, after=0.8, error=0.05),
            RoundGain(queries=2_000, images=80, before=0.8, after=0.9, error=0.03, learned_longer=True),
        ),
    }
    return Exploration.model_validate(known | changed)


def test_a_class_that_never_came_is_named_on_the_page() -> None:
    report = Report(
        title="a student",
        db3kd_version="0",
        teacher=TeacherFigures(),
        students=(StudentFigures(name="active"),),
        queries=Queries(total=1_000),
        class_names=("<coat>", "bag", "ankle boot"),
        exploration=_exploration(),
    )
    assert from_json(to_json(report)) == report
    page = render(report, strips=b"\x89PNG")
    assert "never gave class ankle boot" in page
    assert "never came: unknown" in page
    assert "between 67.00% and 89.00%" in page
    assert "dead leaves" in page
    assert "+10.00 ± 5.00" in page
    assert "&lt;coat&gt;" in page
    assert "<coat>" not in page


def test_tables_count_every_class_and_say_why_rounds_ended() -> None:
    table = making.answer_table(_exploration())
    assert [row[:2] for row in table.rows] == [("0", "900"), ("1", "100"), ("2", "0"), ("all", "1,000")]
    assert any("no longer gained" in note for note in making.trust_notes(_exploration(stopped_early=True)))
    assert any("budget was spent" in note for note in making.trust_notes(_exploration(planned=2_000)))
    few = _exploration(apart=0, agreement=None, lower=None, upper=None, classes=(), kinds=(), gains=())
    assert any("nothing is known" in note for note in making.trust_notes(few))
    assert making.trust_notes(None) == ()
    assert making.answer_table(None).rows == making.gain_table(None).rows == making.kind_table(None).rows == ()


def test_classes_without_an_image_are_named() -> None:
    found = Synthesis(
        method="repulsion",
        images=3,
        images_by_class=(3, 0, 0),
        missing=(1, 2),
        queries={"noise": 9},
        noise_by_class=(9, 0, 0),
    )
    assert "in class shirt, shoe:" in making.synthesis_notes(found, ("dress", "shirt", "shoe"))[0]
    assert "in class 1, 2:" in making.synthesis_notes(found)[0]
    assert making.synthesis_notes(found.model_copy(update={"missing": ()})) == making.synthesis_notes(None) == ()


def test_a_missing_class_cannot_be_kept_quiet() -> None:
    with pytest.raises(ValidationError, match="never to have come"):
        _exploration(never_decided=())
