"""What the tests of the programs share: small images, a network's file, a way to run a program in this process."""

import sys
from pathlib import Path

import pytest

from benchmark_program import Program
from benchmarks import frontier
from benchmarks.extraction import measurement
from db3kd.models import build, weights
from logged_teacher import write_images

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
        drawn = [self._sample_data(pool, classes, row % 3) for row in range(self.stolen)]
        # Kept until the end: a copy of a whole class for each would fill the memory.
        assert all(np.shares_memory(image, pool) for image in drawn)
        decided = np.concatenate([self.victim(image[None]) for image in drawn])
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


@pytest.fixture(autouse=True, scope="module")
def _one_thread(one_thread: None) -> None:
    """Networks are very small here."""


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Program:
    return Program(capsys)


@pytest.fixture
def images(tmp_path: Path) -> str:
    return write_images(tmp_path / "tiny.npz")


@pytest.fixture
def teacher(tmp_path: Path) -> str:
    file = tmp_path / "teacher.safetensors"
    header = weights.describe("lenet5-fifth", (1, 16, 16), 4)
    file.write_bytes(weights.to_bytes(build("lenet5-fifth", (1, 16, 16), 4), header))
    return f"torch:{file}"


@pytest.fixture
def played_art(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Attacks as above, in the place of ART's; the file that holds them. The interpreter of the tests runs them."""
    folder = tmp_path / "played"
    for name, text in {"attacks/extraction": _ATTACKS, "estimators/classification": _CLASSIFICATION}.items():
        file = folder / "art" / f"{name}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text.replace("MORE", "pass"))
    tests = Path(__file__).parents[1]
    monkeypatch.setenv("PYTHONPATH", f"{folder}:{tests}")
    for module in (measurement, frontier):
        monkeypatch.setattr(module, "rivals_python", lambda: Path(sys.executable))
    return folder / "art" / "attacks" / "extraction.py"
