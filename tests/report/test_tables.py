"""Rows of text."""

import pytest

from db3kd.boundary import Outcome
from db3kd.report import tables
from db3kd.report.figures import Queries, StudentFigures
from made_report import bare_report, report


def test_the_student_table_has_the_teacher_first_and_dashes_for_the_unknown() -> None:
    table = tables.student_table(report())
    assert [column.title for column in table.columns] == [
        "learned from", "saw images", "accuracy", "agreement", "queries", "queries per image", "parameters"
    ]  # fmt: skip
    assert table.rows[0] == ("the teacher itself", "–", "97.31%", "–", "–", "–", "187,780")
    assert table.rows[6] == (
        "minimal boundary distance (MBD)", "400", "85.00% ± 1.41", "90.00%", "21,605", "54.0", "47,645"
    )  # fmt: skip
    unknown = StudentFigures(name="forest", label="a forest", queries=5, images=0)
    shown = tables.student_table(bare_report().model_copy(update={"students": (unknown,)}))
    assert shown.rows[1] == ("a forest", "0", "–", "–", "5", "–", "–")


def test_tables_account_for_everything() -> None:
    assert tables.query_table(report()).rows == (
        ("decisions", "400"),
        ("mbd", "65,032"),
        ("total", "65,432"),
        ("evaluation (outside the budget)", "1,000"),
    )
    crashed = bare_report().model_copy(update={"queries": Queries(total=9, unsettled=4)})
    assert tables.query_table(crashed).rows[1] == ("of these charged, but not known to have been sent", "4")
    assert tables.outcome_table(report().distances[0]).rows[0] == ("FOUND", "450", "83.33%", Outcome.FOUND.sentence)
    assert tables.committee_table(report().committee).rows == (
        ("members", "2 × lenet5"),
        ("answers that they learned from", "400"),
        ("mean accuracy", "90.00%"),
        ("mean agreement with the teacher", "95.00%"),
    )
    assert tables.committee_table(None).rows == ()
    assert tables.class_table(report()).rows[1] == ("$x$", *["–"] * 6)
    assert tables.setting_table(report()).rows == (("seed", "0"), ("label.methods", "sd, bd"), ("label.price", "–"))
    assert tables.class_table(bare_report()).rows == ()
    for table in (tables.student_table(report()), tables.class_table(report()), tables.training_table(report())):
        assert {len(row) for row in table.rows} == {len(table.columns)}


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(None, "–"), (0.04, "0.0 s"), (59.96, "1 min 00 s"), (245.0, "4 min 05 s"), (7625.0, "2 h 07 min")],
)
def test_durations_read_as_a_person_would_say_them(seconds: float | None, shown: str) -> None:
    assert tables.duration(seconds) == shown
