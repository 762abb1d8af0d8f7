"""Figures that are built from what was measured."""

from db3kd.evaluation import Calibration, ClassScore, Evaluation
from db3kd.report.figures import StudentFigures


def test_a_student_takes_what_was_measured_as_it_is() -> None:
    calibration = Calibration(error=0.1, against="labels", bins=())
    scores = (ClassScore(0, 5, 0.8, 4, 0.75), ClassScore(1, 0, None, 1, 1.0))
    found = Evaluation(5, 0.8, 0.9, scores, None, calibration)
    student = StudentFigures(name="opinions", queries=7).measured(found)
    assert (student.accuracy, student.agreement, student.queries) == (0.8, 0.9, 7)
    assert student.per_class == (0.8, None)
    assert student.calibration is calibration
    unlabelled = Evaluation(5, None, 0.9, (ClassScore(0, None, None, 5, 0.9),), None, None)
    assert StudentFigures(name="opinions").measured(unlabelled).per_class == ()
    assert StudentFigures(name="opinions").measured(None) == StudentFigures(name="opinions")
