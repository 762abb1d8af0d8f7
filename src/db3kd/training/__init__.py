"""Fitting a network to labels, to soft labels, or to both.

`Recipe` says how, `Material` says what, `fit` does it and `TrainingState` carries it over an interruption;
`fit_together` is `fit` for several networks at once, and `Committee` is how networks of ours learn a teacher's answers.
Where soft labels come from is the matter of `db3kd.softening`.
"""

from db3kd.training.committee import POOL_RECIPE, Committee, choosing_recipe, lesson_of, member_seed, teaching_recipe
from db3kd.training.fitting import Epoch, fit
from db3kd.training.objective import Material, Objective, Unasked, Views, balanced
from db3kd.training.recipe import Recipe, adapted, for_photos, student_recipe, teacher_recipe
from db3kd.training.state import TrainingState
from db3kd.training.together import can_learn_together, fit_together

__all__ = [
    "POOL_RECIPE",
    "Committee",
    "Epoch",
    "Material",
    "Objective",
    "Recipe",
    "TrainingState",
    "Unasked",
    "Views",
    "adapted",
    "balanced",
    "can_learn_together",
    "choosing_recipe",
    "fit",
    "fit_together",
    "for_photos",
    "lesson_of",
    "member_seed",
    "student_recipe",
    "teacher_recipe",
    "teaching_recipe",
]
