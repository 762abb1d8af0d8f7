"""Names become the numbers of their classes, and what is off the list is no class and told once."""

from typing import Any

import pytest

from db3kd.errors import PlanError
from db3kd.teachers.class_names import ClassNames

NAMES = ("ant", "bee", "Bee")


def _told(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


def test_a_name_is_its_place_in_the_list(caplog: pytest.LogCaptureFixture) -> None:
    assert ClassNames(NAMES).numbers(["bee", "ant", "Bee", "bee"]).tolist() == [1, 0, 2, 1]
    assert ClassNames(NAMES).numbers([]).tolist() == []
    assert _told(caplog) == []


def test_what_is_off_the_list_is_no_class_and_told_once_and_in_short(caplog: pytest.LogCaptureFixture) -> None:
    names = ClassNames(NAMES)
    assert names.numbers(["BEE", "ant", "BEE", "x" * 500]).tolist() == [3, 0, 3, 3]
    assert names.numbers(["BEE"]).tolist() == [3]
    assert _told(caplog) == [
        "the answer 'BEE' is none of the classes, and counts as no class",
        f"the answer '{'x' * 60}' is none of the classes, and counts as no class",
    ]


def test_of_a_teacher_that_prattles_ten_answers_are_told(caplog: pytest.LogCaptureFixture) -> None:
    assert ClassNames(NAMES).numbers([f"answer {number}" for number in range(50)]).tolist() == [3] * 50
    assert len(_told(caplog)) == 10


@pytest.mark.parametrize("names", [[], ["ant"], ["ant", "bee", "ant"], "ab"])
def test_what_names_no_two_classes_is_refused(names: Any) -> None:
    with pytest.raises(PlanError, match=r"at least two names.*nothing was asked"):
        ClassNames(names)
