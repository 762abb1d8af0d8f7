"""Fitting a network to labels, to soft labels, or to both.

`Recipe` says how, `Objective` says what, `fit` does it and `TrainingState` carries it over an interruption. Where soft
labels come from is the matter of `db3kd.softening`. Called by the pipeline and by `db3kd train`.
"""

from db3kd.training.fitting import Epoch, fit
from db3kd.training.objective import Objective
from db3kd.training.recipe import Recipe, student_recipe, teacher_recipe
from db3kd.training.state import TrainingState

__all__ = ["Epoch", "Objective", "Recipe", "TrainingState", "fit", "student_recipe", "teacher_recipe"]
