"""How good a network is: on images with labels, on the teacher's decisions, and on answers that were set aside.

`figures` says what is measured, and reports hold these figures as they are. `measures` compares a network with labels
and decisions on any images; `trust` says how far a student can be trusted where there is no test set, and what a round
of questions gained. Nothing here asks a teacher. Called by the pipeline, by `db3kd evaluate` and by benchmarks.
"""

from db3kd.evaluation.curve import Point, curve_of, forecast
from db3kd.evaluation.figures import (
    Calibration,
    CalibrationBin,
    ClassScore,
    Evaluation,
    Gain,
    OriginScore,
    TransformScore,
    Trust,
)
from db3kd.evaluation.measures import BATCH, evaluate, logits, mean_logits, predict, predict_together, scores
from db3kd.evaluation.trust import has_flattened, interval, measure_gain, measure_trust, never_decided

__all__ = [
    "BATCH",
    "Calibration",
    "CalibrationBin",
    "ClassScore",
    "Evaluation",
    "Gain",
    "OriginScore",
    "Point",
    "TransformScore",
    "Trust",
    "curve_of",
    "evaluate",
    "forecast",
    "has_flattened",
    "interval",
    "logits",
    "mean_logits",
    "measure_gain",
    "measure_trust",
    "never_decided",
    "predict",
    "predict_together",
    "scores",
]
