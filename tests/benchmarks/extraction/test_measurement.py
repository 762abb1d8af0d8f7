"""A rival in a process of its own: each of its rows is charged, what it learned is kept, what goes wrong is told.

Most of ART is played here by a few lines, so that no test installs it; the last test has the real one.
"""

import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from benchmarks.extraction import RIVALS, Extract, measurement
from benchmarks.forest import FOREST, digits
from db3kd.data import from_arrays
from db3kd.errors import BudgetExhausted, Db3kdError, InputError
from db3kd.runs import Run
from db3kd.teachers import Teacher
from known_teachers import Counting
from made_runs import NETWORK, Small, images, keeper_of, spent, untouched

QUESTIONS = 20
# Asks as the attacks do, one by one or in batches; "learns" by writing what it saw into the last bias.
_ATTACKS = """
import numpy as np

class CopycatCNN:
    def __init__(self, victim, *, batch_size_fit, batch_size_query, nb_epochs, nb_stolen):
        self.victim, self.stolen = victim, nb_stolen

    def extract(self, pool, classes=None, *, thieved_classifier):
        print("noise on standard output")
        rows = np.random.choice(len(pool), self.stolen, replace=False)
        decided = np.concatenate([self.victim(pool[some]) for some in np.array_split(rows, 3)])
        thieved_classifier.learn(decided.sum(axis=0))

class KnockoffNets(CopycatCNN):
    def __init__(self, victim, *, sampling_strategy, reward, verbose, **settings):
        super().__init__(victim, **settings)

    def extract(self, pool, classes, *, thieved_classifier):
        assert classes.max() + 1 == len(np.unique(classes))
        MORE
        decided = np.concatenate([self.victim(pool[row : row + 1]) for row in range(self.stolen)])
        thieved_classifier.learn(decided.sum(axis=0))
"""
_CLASSIFICATION = """
import torch

def BlackBoxClassifier(decide, shape, classes, *, clip_values):
    return decide

class PyTorchClassifier:
    def __init__(self, network, loss, shape, classes, *, optimizer, clip_values, device_type):
        self.network = network

    def learn(self, counts):
        with torch.no_grad():
            list(self.network.parameters())[-1].copy_(torch.from_numpy(counts))
"""


@pytest.fixture
def played(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """ART as above, found by the process that the interpreter of these tests becomes."""
    folder = tmp_path / "played"
    for name, text in {"attacks/extraction": _ATTACKS, "estimators/classification": _CLASSIFICATION}.items():
        file = folder / "art" / f"{name}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text.replace("MORE", "pass"))
    tests = Path(__file__).parents[2]
    monkeypatch.setenv("PYTHONPATH", f"{folder}:{tests}")
    monkeypatch.setattr(measurement, "rivals_python", lambda: Path(sys.executable))
    return folder / "art" / "attacks" / "extraction.py"


def stage(teacher: Teacher, rival: str = "copycat-cnn") -> Extract:
    return Extract(rival, teacher, images(40, labelled=True), NETWORK, QUESTIONS, seed=3)


@pytest.mark.parametrize("rival", RIVALS)
@pytest.mark.usefixtures("played")
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


def test_what_was_paid_before_a_failure_is_not_paid_again(played: Path, tmp_path: Path) -> None:
    whole = played.read_text()
    played.write_text(whole.replace("thieved_classifier.learn", "raise SystemExit('the wheel came off')", 1))
    teacher = Counting(Small())
    with Run(tmp_path / "run") as run, pytest.raises(Db3kdError, match=r"code 0, got 1(?s:.)*the wheel came off"):
        keeper_of(run).perform(stage(teacher))
    assert teacher.rows == QUESTIONS
    played.write_text(whole)
    with Run(tmp_path / "run") as run:
        network = keeper_of(run).perform(stage(untouched(Small())))
    assert list(network.parameters())[-1].sum() == QUESTIONS


def test_a_rival_that_asks_more_than_it_may_is_ended(played: Path, tmp_path: Path) -> None:
    played.write_text(played.read_text().replace("pass", "self.stolen += 1"))
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
