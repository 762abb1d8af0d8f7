"""The card says of a student what whoever gets it must know, and nothing that nobody measured."""

from db3kd.evaluation import Trust
from db3kd.report.card import model_card
from db3kd.report.figures import AskingFigures, Queries, StudentFigures
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
    unmeasured = bare_report().model_copy(update={"students": (StudentFigures(name="opinions"),)})
    card = model_card(unmeasured, takes=TAKES, parameters=3)
    assert "Not measured" in card
    assert "Teacher: not named" in card
    assert "their names are not known" in card


def test_weights_without_a_run_have_a_card_that_says_what_is_not_known() -> None:
    card = model_card(None, takes=TAKES, parameters=3, class_names=("ant", "bee"), measured="90% of 24 images")
    for said in (TAKES, "Classes: ant, bee", "90% of 24 images", "does not say whom it copies", "## Rights"):
        assert said in card
    assert "Questions to the teacher" not in card
    assert "The rest is not known" in card


def test_a_run_that_is_not_at_its_end_has_a_card_with_what_is_known() -> None:
    begun = bare_report().model_copy(update={"queries": Queries(total=300)})
    card = model_card(begun, takes=TAKES, parameters=3)
    assert "Questions to the teacher: 300" in card
    assert "bring the run to its end" in card
