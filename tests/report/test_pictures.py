"""Charts."""

from xml.etree import ElementTree

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
