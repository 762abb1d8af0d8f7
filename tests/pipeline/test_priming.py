"""Primers: what they learn from is charged, kept and never paid twice, and their search comes to the same again."""

from pathlib import Path

import pytest
import torch

from db3kd.boundary.methods import GuidedDistance
from db3kd.data import Dataset, from_arrays
from db3kd.errors import BudgetExhausted, PlanError, RunMismatch
from db3kd.execution import Labelling
from db3kd.pipeline import Budget, Priming
from db3kd.pipeline.labelling import kept_probes, label
from db3kd.pipeline.priming import primer_recipe
from db3kd.runs import Run
from db3kd.training import Recipe
from db3kd.transfer import TransferSet
from known_teachers import Counting, Failing, Sectors
from questions import draw_images

IMAGES, CLASSES, QUERIES = 20, 3, 30
PRIMING = Priming(
    Recipe("adam", 0.01, epochs=3, batch_size=16), "made_networks:two_layers", networks=2, subspace=8, seed=1
)


def _images() -> Dataset:
    return from_arrays(draw_images(_teacher(), IMAGES), name="drawn")


def _teacher() -> Sectors:
    return Sectors(classes=CLASSES)


def _label(
    folder: Path, teacher: Counting | Failing, *, budget: int | None = None, priming: Priming = PRIMING
) -> TransferSet:
    with Run(folder) as run:
        return label(
            run,
            teacher,
            _images(),
            Labelling(GuidedDistance(), QUERIES),
            budget=Budget(total=budget),
            priming=priming,
        )


def test_every_query_of_the_primers_is_on_the_ledger(tmp_path: Path) -> None:
    teacher = Counting(_teacher())
    transfer = _label(tmp_path, teacher)
    with Run(tmp_path) as run:
        statement = run.statement()
    assert statement.by_stage["primer"] == 2 * IMAGES
    assert statement.by_stage["label"] == int(transfer.queries.sum())
    assert statement.total == teacher.rows
    assert (transfer.queries <= QUERIES).all()


def test_an_interrupted_run_pays_nothing_twice_and_comes_to_the_same(tmp_path: Path) -> None:
    plain = _label(tmp_path / "plain", Counting(_teacher()))
    seen = Counting(_teacher())
    for call in (2, 4, 9):
        with pytest.raises(KeyboardInterrupt):
            _label(tmp_path / "broken", Failing(seen, call, KeyboardInterrupt))
    again = _label(tmp_path / "broken", seen)
    assert again.to_bytes() == plain.to_bytes()
    # What was in flight was charged, never answered, and is charged again.
    assert seen.rows == IMAGES + 2 * IMAGES + int(plain.queries.sum())
    with Run(tmp_path / "broken") as run:
        assert seen.rows < run.statement().total <= seen.rows + 3 * 128


def test_a_finished_run_asks_nothing_and_refuses_other_primers(tmp_path: Path) -> None:
    _label(tmp_path, Counting(_teacher()))
    teacher = Counting(_teacher())
    _label(tmp_path, teacher)
    with pytest.raises(RunMismatch, match="priming"):
        _label(tmp_path, teacher, priming=Priming(PRIMING.recipe, PRIMING.architecture, networks=1, seed=1))
    assert teacher.rows == 0


def test_a_budget_that_ends_among_the_mixtures_can_be_raised(tmp_path: Path) -> None:
    with pytest.raises(BudgetExhausted):
        _label(tmp_path, Counting(_teacher()), budget=IMAGES + 10)
    transfer = _label(tmp_path, Counting(_teacher()), budget=10_000)
    assert transfer.distances.isfinite().any()


def test_a_primer_that_does_not_fit_is_told_before_a_query(tmp_path: Path) -> None:
    teacher = Counting(_teacher())
    with pytest.raises(PlanError, match="at least 16x16"):
        _label(tmp_path, teacher, priming=Priming())
    assert teacher.rows == 0


def test_primers_with_the_teachers_images_come_nearer_than_none(tmp_path: Path) -> None:
    many = from_arrays(draw_images(_teacher(), 200), name="drawn")
    found = []
    for name, priming in (
        ("guided", Priming(Recipe("adam", 0.01, 20, 16), "made_networks:two_layers", networks=2, subspace=8)),
        ("alone", None),
    ):
        with Run(tmp_path / name) as run:
            how = Labelling(GuidedDistance(), 20)
            transfer = label(run, Counting(_teacher()), many, how, budget=Budget(), priming=priming)
        found.append(transfer.distances[transfer.distances.isfinite() & (transfer.distances > 0)].mean())
    assert found[0] < 0.7 * found[1]
    assert torch.isfinite(torch.stack(found)).all()


def test_what_was_bought_with_primers_is_not_taken_for_a_search_without(tmp_path: Path) -> None:
    _label(tmp_path, Counting(_teacher()))
    with Run(tmp_path) as run, pytest.raises(RunMismatch, match="priming"):
        label(run, Counting(_teacher()), _images(), Labelling(GuidedDistance(), QUERIES), budget=Budget())


def test_kept_probes_are_in_the_run_with_the_answers_that_they_got(tmp_path: Path) -> None:
    with Run(tmp_path) as run:
        how = Labelling(GuidedDistance(), QUERIES, keep_probes=70)
        label(run, Counting(_teacher()), _images(), how, budget=Budget())
        kept = kept_probes(run)
    assert kept is not None
    assert len(kept.points) == 70
    assert torch.equal(_teacher()(kept.points), kept.decisions)
    with Run(tmp_path / "none") as run:
        assert kept_probes(run) is None


@pytest.mark.parametrize(("answers", "epochs", "milestones"), [(180_000, 10, (7, 9)), (1800, 60, (42, 54))])
def test_few_answers_are_gone_through_more_often(answers: int, epochs: int, milestones: tuple[int, ...]) -> None:
    recipe = primer_recipe(answers)
    assert (recipe.epochs, recipe.milestones) == (epochs, milestones)
    # Milestones of epochs that somebody chose are theirs.
    assert primer_recipe(answers, 40).milestones == (28, 36)
