"""Runs one attack on a pool; a script for the rivals' own environment, started by `measurement`.

    python -m benchmarks.extraction.worker RIVAL REQUEST WEIGHTS

It asks on its standard output, gets the decisions on its standard input, and writes the network's weights. Of the
teacher it sees the decisions that it asked for and nothing else; KnockoffNets also sees the true labels of the pool.
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

_QUERIES_AT_ONCE = 64

Arrays = Mapping[str, npt.NDArray[Any]]


def copycat_cnn(victim: Any, thief: Any, pool: npt.NDArray[np.float32], asked: Arrays) -> None:
    """Ask about images drawn at random, and learn the decisions.

    Source: Correia-Silva et al. (2018), https://arxiv.org/abs/1806.05476, as `art.attacks.extraction.CopycatCNN`.
    """
    extraction: Any = importlib.import_module("art.attacks.extraction")
    attack = extraction.CopycatCNN(victim, **_settings(asked))
    attack.extract(pool, thieved_classifier=thief)


def knockoff_nets(victim: Any, thief: Any, pool: npt.NDArray[np.float32], asked: Arrays) -> None:
    """Choose among the true classes of the pool by a bandit, ask about one image after another, and learn the answers.

    Source: Orekondy et al. (2018), https://arxiv.org/abs/1812.02766, as `art.attacks.extraction.KnockoffNets` with the
        sampling strategy "adaptive". Its reward is "loss": the usual one, "all", divides by the variance of the
        victim's certainty, and a decision is always certain, so that it ends with probabilities that are no numbers.
        Its images are drawn by the same lots without a copy of all images of the class, each of which it keeps for as
        long as it runs: 3,000 questions about 60,000 images would take 56 GB.
    """
    extraction: Any = importlib.import_module("art.attacks.extraction")
    attack = extraction.KnockoffNets(
        victim, sampling_strategy="adaptive", reward="loss", verbose=False, **_settings(asked)
    )

    def sample(images: npt.NDArray[np.float32], known: npt.NDArray[np.int64], action: int) -> npt.NDArray[np.float32]:
        rows = np.flatnonzero(known == action)
        drawn: npt.NDArray[np.float32] = images[rows[np.random.choice(len(rows))]]  # noqa: NPY002  # as ART draws
        return drawn

    attack._sample_data = sample
    # Its classes are numbered without gaps.
    classes = np.unique(asked["labels"], return_inverse=True)[1]
    attack.extract(pool, classes, thieved_classifier=thief)


def _settings(asked: Arrays) -> dict[str, int]:
    return {
        "nb_stolen": int(asked["questions"]),
        "nb_epochs": int(asked["epochs"]),
        "batch_size_fit": int(asked["batch_size"]),
        "batch_size_query": _QUERIES_AT_ONCE,
    }


ATTACKS: Mapping[str, Callable[[Any, Any, npt.NDArray[np.float32], Arrays], None]] = {
    "copycat-cnn": copycat_cnn,
    "knockoff-nets": knockoff_nets,
}


def extract(rival: str, request: Path, weights_file: Path, asking: IO[bytes], answering: IO[bytes]) -> None:
    """Copy a classifier and write the copy.

    Args:
        rival: a name in `ATTACKS`.
        request: an .npz with the images [n c h w] in [0, 1] or from 0 to 255, their labels [n], the numbers of
            questions, classes, epochs and images a step, the rate, the seed and the student's architecture.
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
        optimizer=torch.optim.Adam(network.parameters(), float(asked["rate"])),
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
