"""How good a network is: on images with labels, on the teacher's decisions, and on answers that were kept apart.

`measures` compares a network with labels and decisions on any images; `apart` says how far a student that was made
without data can be trusted, and how its teachers' gain flattened. Nothing here asks a teacher. Called by the pipeline,
by `db3kd evaluate` and by the report; `dataclasses.asdict` makes JSON of everything.
"""

from db3kd.evaluation.apart import (
    ApartScore,
    Gain,
    KindScore,
    has_flattened,
    measure_apart,
    measure_gain,
    never_decided,
)
from db3kd.evaluation.measures import (
    Calibration,
    CalibrationBin,
    ClassScore,
    Evaluation,
    evaluate,
    logits,
    mean_logits,
    predict,
)

__all__ = [
    "ApartScore",
    "Calibration",
    "CalibrationBin",
    "ClassScore",
    "Evaluation",
    "Gain",
    "KindScore",
    "evaluate",
    "has_flattened",
    "logits",
    "mean_logits",
    "measure_apart",
    "measure_gain",
    "never_decided",
    "predict",
]
