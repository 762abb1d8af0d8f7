"""A rival in a process of its own: each of its rows is charged, what it learned is kept, what goes wrong is told.

ART is played by a few lines (`played_art`), so that no test installs it; the last one has the real one.
"""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from benchmarks.extraction import RIVALS, Extract
from benchmarks.forest import FOREST, digits
from db3kd.data import from_arrays
from db3kd.errors import BudgetExhausted, Db3kdError, InputError
from db3kd.runs import Run
from db3kd.teachers import Teacher
from known_teachers import Counting
from made_runs import NETWORK, Small, images, keeper_of, spent, untouched

QUESTIONS = 20


def stage(teacher: Teacher, rival: str = "copycat-cnn") -> Extract:
    return Extract(rival, teacher, images(40, labelled=True), NETWORK, QUESTIONS, seed=3)


@pytest.mark.slow
@pytest.mark.parametrize("rival", RIVALS)
@pytest.mark.usefixtures("played_art")
def test_each_row_is_charged_and_what_was_learned_is_kept(rival: str, tmp_path: Path) -> None:
    teacher = Counting(Small())
    with Run(tmp_path / "run") as run:
        network = keeper_of(run).perform(stage(teacher, rival))
    assert teacher.rows == spent(tmp_path / "run") == QUESTIONS
    learned = list(network.parameters())[-1]
    assert learned.sum() == QUESTIONS
    with Run(tmp_path / "run") as run:
        again = keeper_of(run).perform(stage(untouched(Small()), rival))
    assert torch.equal(list(again.parameters())[-1], learned)


@pytest.mark.slow
def test_what_was_paid_before_a_failure_is_not_paid_again(played_art: Path, tmp_path: Path) -> None:
    whole = played_art.read_text()
    played_art.write_text(whole.replace("thieved_classifier.learn", "raise SystemExit('the wheel came off')", 1))
    teacher = Counting(Small())
    with Run(tmp_path / "run") as run, pytest.raises(Db3kdError, match=r"code 0, got 1(?s:.)*the wheel came off"):
        keeper_of(run).perform(stage(teacher))
    assert teacher.rows == QUESTIONS
    played_art.write_text(whole)
    with Run(tmp_path / "run") as run:
        network = keeper_of(run).perform(stage(untouched(Small())))
    assert list(network.parameters())[-1].sum() == QUESTIONS


@pytest.mark.slow
def test_a_rival_that_asks_more_than_it_may_is_ended(played_art: Path, tmp_path: Path) -> None:
    played_art.write_text(played_art.read_text().replace("pass", "self.stolen += 1"))
    teacher = Counting(Small())
    with Run(tmp_path / "run") as run, pytest.raises(BudgetExhausted):
        keeper_of(run).perform(stage(teacher, "knockoff-nets"))
    assert teacher.rows == spent(tmp_path / "run") == QUESTIONS


def test_where_a_rival_cannot_be_used_nothing_is_asked() -> None:
    with pytest.raises(InputError, match="images without labels"):
        replace(stage(untouched(Small())), images=images(40))
    with pytest.raises(InputError, match="may abstain"):
        stage(untouched(Small(abstains=True)))


@pytest.mark.slow
@pytest.mark.parametrize("rival", RIVALS)
def test_the_real_rivals_learn_the_decisions(rival: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    (pixels, labels), teacher = digits(), Counting(FOREST)
    pool = from_arrays(pixels[:1400], labels[:1400])
    with Run(tmp_path / "run") as run:
        network = keeper_of(run).perform(Extract(rival, teacher, pool, "benchmarks.forest:small", 150, seed=0))
    assert teacher.rows == spent(tmp_path / "run") == 150
    new = from_arrays(pixels[1400:]).images()
    assert (network(new).argmax(1) == FOREST(new)).double().mean() > 0.8
