"""The paper's presets, and recipes that no training can have."""

import pytest

from db3kd.errors import PlanError
from db3kd.training import Recipe, adapted, for_photos, student_recipe, teacher_recipe


@pytest.mark.parametrize("architecture", ["lenet5", "lenet5-half", "lenet5-fifth", "own.package:network"])
def test_lenets_train_with_adam_as_in_the_paper(architecture: str) -> None:
    assert teacher_recipe(architecture) == Recipe("adam", 5e-4, epochs=200, batch_size=1024)
    assert student_recipe(architecture) == Recipe("adam", 1e-3, epochs=200, batch_size=512)


@pytest.mark.parametrize("architecture", ["alexnet", "alexnet-half", "alexnet-quarter"])
def test_alexnets_train_as_in_the_paper(architecture: str) -> None:
    recipe = teacher_recipe(architecture)
    assert (recipe.optimizer, recipe.momentum, recipe.weight_decay) == ("sgd", 0.9, 1e-4)
    assert (recipe.epochs, recipe.batch_size) == (200, 1024)
    rates = [recipe.rate_after(finished) for finished in (0, 59, 60, 119, 120, 199)]
    assert rates == pytest.approx([0.1, 0.1, 0.01, 0.01, 0.001, 0.001])
    assert student_recipe(architecture) == Recipe("adam", 5e-3, epochs=200, batch_size=512)


def test_all_faults_are_in_one_message() -> None:
    with pytest.raises(PlanError, match=r"rate .*epochs .*batch_size .*momentum .*weight_decay .*milestones") as raised:
        Recipe("sgd", -1.0, epochs=0, batch_size=0, momentum=1.0, weight_decay=-1.0, milestones=(0,))
    assert "optimizer" not in str(raised.value)
    with pytest.raises(PlanError, match="momentum belongs to sgd"):
        Recipe("adam", 0.1, epochs=1, batch_size=1, momentum=0.9)
    with pytest.raises(PlanError, match=r"rate must be .* got nan"):
        Recipe("adam", float("nan"), epochs=1, batch_size=1)
    with pytest.raises(PlanError, match="milestones belong to the schedule steps"):
        Recipe("adam", 0.1, epochs=9, batch_size=1, milestones=(3,), schedule="one-cycle")


def test_a_cycle_rises_over_a_tenth_and_falls_to_nothing() -> None:
    cycle = Recipe("adam", 1e-2, epochs=20, batch_size=1, schedule="one-cycle")
    rates = [cycle.rate_after(step / 10) for step in range(200)]
    peak = rates.index(max(rates))
    assert max(rates) == pytest.approx(1e-2)
    assert peak == 20
    assert rates[: peak + 1] == sorted(rates[: peak + 1])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)
    assert 0 < rates[0] < 1e-3
    assert rates[-1] < 1e-5


def test_a_cosine_rises_over_its_warmup_and_falls_to_nothing() -> None:
    cosine = Recipe("adamw", 1e-2, epochs=20, batch_size=1, schedule="cosine", warmup=0.25)
    rates = [cosine.rate_after(step / 10) for step in range(200)]
    assert rates[0] == pytest.approx(4e-4)
    assert rates.index(max(rates)) == 50
    assert max(rates) == pytest.approx(1e-2)
    assert rates[50:] == sorted(rates[50:], reverse=True)
    assert rates[125] == pytest.approx(5e-3)
    assert rates[-1] < 1e-5
    at_once = Recipe("adamw", 1e-2, epochs=20, batch_size=1, schedule="cosine")
    assert at_once.rate_after(0) == 1e-2
    one_cycle = Recipe("adamw", 1e-2, epochs=20, batch_size=1, schedule="one-cycle")
    tenth = Recipe("adamw", 1e-2, epochs=20, batch_size=1, schedule="cosine", warmup=0.1)
    assert all(one_cycle.rate_after(step) == tenth.rate_after(step) for step in range(20))


def test_the_recipe_for_photos_keeps_epochs_and_takes_changes() -> None:
    photos = for_photos(teacher_recipe("alexnet"))
    assert (photos.optimizer, photos.schedule, photos.precision) == ("adamw", "cosine", "mixed")
    assert (photos.epochs, photos.batch_size, photos.momentum, photos.milestones) == (200, 128, 0.0, ())
    assert for_photos(Recipe(epochs=7, batch_size=16)).batch_size == 16
    assert adapted(photos, {"warmup": 0.2}).warmup == 0.2
    steps = adapted(photos, {"milestones": (3,), "optimizer": "sgd", "momentum": 0.9})
    assert (steps.schedule, steps.warmup, steps.momentum) == ("steps", 0.0, 0.9)
    assert adapted(steps, {"schedule": "one-cycle"}).milestones == ()


def test_a_warmup_belongs_to_a_cosine() -> None:
    with pytest.raises(PlanError, match=r"warmup belongs to the schedule cosine, got 0\.1 with one-cycle"):
        Recipe(schedule="one-cycle", warmup=0.1)
    with pytest.raises(PlanError, match=r"momentum belongs to sgd, got 0\.9 with adamw"):
        Recipe("adamw", momentum=0.9)
