"""The recipe that a section asks for is its preset, with what the section says."""

import pytest

from db3kd.errors import PlanError
from db3kd.pipeline.imitating import imitation_recipe
from db3kd.plan.dataless import open_imitation
from db3kd.plan.learning_keys import DistillSection, RecipeSection
from db3kd.plan.opening import open_recipe
from db3kd.training import Recipe, student_recipe

STEPS = Recipe("adam", 1e-3, epochs=10, batch_size=64, milestones=(7, 9))


def test_what_is_left_out_is_the_preset() -> None:
    assert open_recipe(RecipeSection(), imitation_recipe(60)) == imitation_recipe(60)
    asked = RecipeSection(epochs=3, batch_size=7, precision="bfloat16")
    assert open_recipe(asked, student_recipe("lenet5")) == Recipe("adam", 1e-3, 3, 7, precision="bfloat16")


def test_milestones_mean_steps_and_a_cycle_has_none() -> None:
    assert open_recipe(RecipeSection(milestones=(5,)), imitation_recipe(9)).rate_after(5) == pytest.approx(2e-4)
    cycle = open_recipe(RecipeSection(schedule="one-cycle"), STEPS)
    assert (cycle.schedule, cycle.milestones) == ("one-cycle", ())
    with pytest.raises(PlanError, match="milestones belong to the schedule steps"):
        open_recipe(RecipeSection(schedule="one-cycle", milestones=(5,)), STEPS)


@pytest.mark.parametrize(("queries", "epochs"), [(500, 60), (25_000, 60), (50_000, 120), (100_000, 240), (10**6, 480)])
def test_a_student_learns_for_longer_where_more_was_asked(queries: int, epochs: int) -> None:
    assert open_imitation(DistillSection(student="lenet5"), queries).recipe.epochs == epochs
    assert open_imitation(DistillSection(student="lenet5", epochs=7), queries).recipe.epochs == 7
