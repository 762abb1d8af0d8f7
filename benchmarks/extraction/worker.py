"""Runs one attack on a pool; a script for the rivals' own environment, started by `measurement`.

    python -m benchmarks.extraction.worker RIVAL REQUEST WEIGHTS

It asks on its standard output, gets the decisions on its standard input, and writes the network's weights. It sees the
pool and the decisions of what it asked, nothing else.
"""

import importlib
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from benchmarks.extraction import messages
from db3kd.models import build, weights

# Those of ART's notebook on model stealing (64 images a step, Adam) and of its tests (100 epochs, where the notebook
# has 5): its defaults, a single image a step and 10 epochs, would be no fair rival.
_BATCH, _EPOCHS, _RATE = 64, 100, 1e-3

Arrays = Mapping[str, npt.NDArray[Any]]


def copycat_cnn(victim: Any, thief: Any, pool: npt.NDArray[np.float32], asked: Arrays) -> None:
    """Ask about images drawn at random, and learn the decisions.

    Source: Correia-Silva et al. (2018), https://arxiv.org/abs/1806.05476, as `art.attacks.extraction.CopycatCNN`.
    """
    extraction: Any = importlib.import_module("art.attacks.extraction")
    attack = extraction.CopycatCNN(
        victim, batch_size_fit=_BATCH, batch_size_query=_BATCH, nb_epochs=_EPOCHS, nb_stolen=int(asked["questions"])
    )
    attack.extract(pool, thieved_classifier=thief)


def knockoff_nets(victim: Any, thief: Any, pool: npt.NDArray[np.float32], asked: Arrays) -> None:
    """Choose among the true classes of the pool by a bandit, ask about one image after another, and learn the answers.

    Source: Orekondy et al. (2018), https://arxiv.org/abs/1812.02766, as `art.attacks.extraction.KnockoffNets` with the
        sampling strategy "adaptive". Its reward is "loss": the usual one, "all", divides by the variance of the
        victim's certainty, and a decision is always certain, so that it ends with probabilities that are no numbers.
    """
    extraction: Any = importlib.import_module("art.attacks.extraction")
    attack = extraction.KnockoffNets(
        victim,
        batch_size_fit=_BATCH,
        batch_size_query=_BATCH,
        nb_epochs=_EPOCHS,
        nb_stolen=int(asked["questions"]),
        sampling_strategy="adaptive",
        reward="loss",
        verbose=False,
    )
    # Its classes are numbered without gaps.
    classes = np.unique(asked["labels"], return_inverse=True)[1]
    attack.extract(pool, classes, thieved_classifier=thief)


ATTACKS: Mapping[str, Callable[[Any, Any, npt.NDArray[np.float32], Arrays], None]] = {
    "copycat-cnn": copycat_cnn,
    "knockoff-nets": knockoff_nets,
}


def extract(rival: str, request: Path, weights_file: Path, asking: IO[bytes], answering: IO[bytes]) -> None:
    """Copy a classifier and write the copy.

    Args:
        rival: a name in `ATTACKS`.
        request: an .npz with the images [n c h w] in [0, 1] or from 0 to 255, their labels [n], the number of
            questions, of classes and of the seed, and the student's architecture.
        weights_file: gets the copy's weights.
        asking: gets the questions, float32 images.
        answering: gives their decisions, int64.
    """
    classification: Any = importlib.import_module("art.estimators.classification")
    asked = dict(np.load(request))
    pool, classes, seed = asked["images"], int(asked["classes"]), int(asked["seed"])
    pool = pool.astype(np.float32) / 255 if pool.dtype == np.uint8 else pool
    shape: tuple[int, int, int] = pool.shape[1:]
    network = build(str(asked["architecture"]), shape, classes, seed=seed)
    # One image a step, much of the time: more threads only get in each other's way.
    torch.set_num_threads(1)
    torch.default_generator.manual_seed(seed)
    np.random.seed(seed)  # noqa: NPY002, TID251  # ART draws from it, in a process of its own

    def decide(images: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        messages.send(asking, images.astype(np.float32))
        decisions = np.frombuffer(messages.receive(answering), np.int64)
        return np.eye(classes, dtype=np.float32)[decisions]

    victim = classification.BlackBoxClassifier(decide, shape, classes, clip_values=(0.0, 1.0))
    thief = classification.PyTorchClassifier(
        network,
        nn.CrossEntropyLoss(),
        shape,
        classes,
        optimizer=torch.optim.Adam(network.parameters(), _RATE),
        clip_values=(0.0, 1.0),
        device_type="cpu",
    )
    ATTACKS[rival](victim, thief, pool, asked)
    header = weights.describe(str(asked["architecture"]), shape, classes)
    weights_file.write_bytes(weights.to_bytes(network, header))


if __name__ == "__main__":
    name, request_file, network_file = sys.argv[1:]
    # What libraries print must not get between the questions.
    with os.fdopen(os.dup(sys.stdout.fileno()), "wb") as questions:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        extract(name, Path(request_file), Path(network_file), questions, sys.stdin.buffer)
