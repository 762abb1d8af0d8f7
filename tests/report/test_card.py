"""The card says of a student what whoever gets it must know, and nothing that nobody measured."""

from db3kd.evaluation import Trust
from db3kd.report.card import model_card
from db3kd.report.figures import AskingFigures, StudentFigures
from made_report import bare_report, report

TAKES = "uint8 from 0 to 255, [n, 1, 28, 28]"


def test_it_says_where_the_student_comes_from_and_how_good_it_is() -> None:
    card = model_card(report(), takes=TAKES, parameters=47_645)
    for said in ("torch:lenet5@teacher.safetensors", "65,432", TAKES, "47,645", "85.00%", "97.31%", "90.00%"):
        assert said in card
    assert "## Rights" in card
    assert "Not measured" not in card


def test_answers_set_aside_and_classes_that_never_came_are_told() -> None:
    trust = Trust(20, 0.95, 0.76, 0.99, None, (), ())
    histogram = (30, *(0,) * 8, 20)
    asking = AskingFigures(
        pool="images",
        acquisition="margin",
        queries=50,
        planned=50,
        ended="all",
        class_histogram=histogram,
        never_decided=tuple(range(1, 9)),
    )
    bare = report().model_copy(
        update={"asking": asking.model_copy(update={"trust": trust}), "students": (StudentFigures(name="opinions"),)}
    )
    card = model_card(bare, takes=TAKES, parameters=3)
    assert "95.00%" in card
    assert "between 76.00% and 99.00%" in card
    assert "held-out images: " not in card
    assert "does not know them: $x$, ankle & boot" in card


def test_what_nobody_measured_is_said_to_be_so() -> None:
    card = model_card(bare_report(), takes=TAKES, parameters=3)
    assert "Not measured" in card
