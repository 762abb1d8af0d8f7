"""Charts."""

import re
from xml.etree import ElementTree

from db3kd.evaluation import Point, TransformScore
from db3kd.report import pictures
from made_report import report


def test_a_hundred_classes_stay_small() -> None:
    medians = [[None if row == column else 1.0 + row + column for column in range(100)] for row in range(100)]
    chart = pictures.distance_heat_map(medians, ())
    ElementTree.fromstring(chart)
    assert len(chart) < 150_000
    assert ">96</text>" in chart
    assert ">97</text>" not in chart


def test_charts_leave_matplotlib_as_it_was() -> None:
    import matplotlib

    before = dict(matplotlib.rcParams)
    pictures.accuracy_chart(report())
    assert dict(matplotlib.rcParams) == before


def test_a_class_map_names_what_the_student_confuses() -> None:
    chart = pictures.confusion_map([[8, 2, 0], [0, 10, 0], [0, 0, 0]], ("ant", "bee", "owl"))
    ElementTree.fromstring(chart)
    for said in (">80</text>", ">20</text>", ">100</text>", ">ant</text>"):
        assert said in chart, said


def test_the_curve_of_the_rounds_has_a_forecast_and_the_student() -> None:
    points = (Point(100, 0.7, 0.6, 0.8), Point(200, 0.8, 0.7, 0.9))
    bare = pictures.agreement_chart(points)
    more = pictures.agreement_chart(points, after_1000_more=0.9, student=Point(200, 0.78, 0.7, 0.85), accuracy=0.75)
    for chart, lines in ((bare, 1), (more, 4)):
        ElementTree.fromstring(chart)
        assert len(re.findall(r">(?:committee|student|the same)[^<]*</text>", chart)) == lines


def test_agreement_on_all_is_drawn_though_its_interval_was_rounded() -> None:
    point = Point(60, 1.0, 0.6, 1 - 2**-53)
    chart = pictures.agreement_chart([point], student=point)
    ElementTree.fromstring(chart)
    assert ">student, agreement on answers set aside</text>" in chart


def test_each_transform_that_was_asked_about_has_a_bar() -> None:
    scores = (TransformScore("mirror", 20, 5, 0, 0), TransformScore("shift", 31, 31, 0.07, 0.12))
    chart = pictures.transform_chart((*scores, TransformScore("turn", 0, 0, 0, 4)))
    ElementTree.fromstring(chart)
    assert [name for name in ("mirror", "shift", "turn") if f">{name}</text>" in chart] == ["mirror", "shift"]
