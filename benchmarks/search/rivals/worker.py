"""Runs one rival on every pair; a script for the rivals' own environment, started by `measurement`.

    python -m benchmarks.search.rivals.worker RIVAL REQUEST WEIGHTS ANSWER

Nothing but the decision leaves the network, and every row is counted, the attack's own checks included. Pairs are
attacked one by one: foolbox normalises over a batch, and only so each pair's count is its own.
"""

import contextlib
import importlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from benchmarks.search.rivals.recorder import EnoughAsked, Recorder, never_across
from db3kd.models import weights
from db3kd.tensors import Float, Int, Tensor

# Steps enough for any count: the recorder ends the attack, not a cap of its own.
_WITHOUT_END = 10**9


@dataclass(frozen=True)
class AttackedPair:
    """One image and one class to reach.

    Args:
        image: in [0, 1].
        target: the class.
        start: a point that is across.
        num_classes: number of classes that there are.
    """

    image: Float[Tensor, "c h w"]
    target: int
    start: Float[Tensor, "c h w"]
    num_classes: int


class _OneHotDecisions(nn.Module):
    """What foolbox takes for a network: the scores that it sees hold the decision and nothing else."""

    def __init__(self, recorder: Recorder, num_classes: int) -> None:
        super().__init__()
        self._recorder, self._num_classes = recorder, num_classes

    def forward(self, points: Float[Tensor, "b c h w"]) -> Float[Tensor, "b num_classes"]:
        """Ask for the decisions."""
        return _one_hot(self._recorder.decide(points), self._num_classes)


def hop_skip_jump(recorder: Recorder, pair: AttackedPair) -> None:
    """Attack a pair by foolbox's HopSkipJump with its default settings, from the pair's start.

    Source: Chen, Jordan and Wainwright (2020), https://arxiv.org/abs/1904.02144.
    """
    foolbox: Any = importlib.import_module("foolbox")
    model = foolbox.PyTorchModel(_OneHotDecisions(recorder, pair.num_classes).eval(), bounds=(0, 1), device="cpu")
    criterion = foolbox.criteria.TargetedMisclassification(torch.tensor([pair.target]))
    attack = foolbox.attacks.HopSkipJumpAttack(steps=_WITHOUT_END, constraint="l2")
    attack.run(model, pair.image[None], criterion, starting_points=pair.start[None])


def sign_opt(recorder: Recorder, pair: AttackedPair) -> None:
    """Attack a pair by ART's Sign-OPT with its default settings, from the pair's start.

    Source: Cheng et al. (2020), https://arxiv.org/abs/1909.10773. One deviation from ART 1.20.1: its bisection from the
        start asks whether a point is of the image's own class, where a targeted attack has to ask whether it is of the
        target; most pairs then start from a point that is not across, and never come back. The target is put there.
    """
    evasion: Any = importlib.import_module("art.attacks.evasion")
    classification: Any = importlib.import_module("art.estimators.classification")

    def predict(points: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        decisions = recorder.decide(torch.from_numpy(points.astype(np.float32)))
        return _one_hot(decisions, pair.num_classes).numpy()

    classifier = classification.BlackBoxClassifierNeuralNetwork(
        predict, tuple(pair.image.shape), pair.num_classes, clip_values=(0.0, 1.0)
    )
    attack = evasion.SignOPTAttack(classifier, targeted=True, max_iter=_WITHOUT_END, query_limit=_WITHOUT_END)
    attack_as_published = attack._attack

    def attack_mended(*, x_0: object, target: object, x_init: object, y_0: object) -> object:  # noqa: ARG001  # ART's
        return attack_as_published(x_0=x_0, y_0=target, target=target, x_init=x_init)

    attack._attack = attack_mended
    # A pool of starts in ART's own words, from which it takes the nearest crossing; ours has one.
    attack.generate(pair.image[None].numpy(), y=np.array([pair.target]), x_init=pair.start[None].numpy())


ATTACKS: dict[str, Callable[[Recorder, AttackedPair], None]] = {
    "hop-skip-jump": hop_skip_jump,
    "sign-opt-art": sign_opt,
}


def attack_pairs(rival: str, request: Path, weights_file: Path, answer: Path) -> None:
    """Attack each pair of a request and write what was reached.

    Args:
        rival: a name in `ATTACKS`.
        request: an .npz with images [n c h w], image_of [k], targets [k], starts [k c h w], keys [k] and counts.
        weights_file: of the network, as `db3kd.models.weights` reads it.
        answer: gets an .npz with distances [k counts] and queries [k].
    """
    # One row a question: more threads only get in each other's way.
    torch.set_num_threads(1)
    module, header = weights.from_file(weights_file)
    asked = dict(np.load(request))
    images, starts = torch.from_numpy(asked["images"]), torch.from_numpy(asked["starts"])
    counts = [int(count) for count in asked["counts"]]
    distances, queries = [], []
    for row, image in enumerate(asked["image_of"]):
        pair = AttackedPair(images[image], int(asked["targets"][row]), starts[row], int(header["num_classes"]))
        reached, spent = _attack(ATTACKS[rival], _decisions_of(module), pair, counts=counts, key=asked["keys"][row])
        distances.append(reached)
        queries.append(spent)
    np.savez(answer, distances=np.array(distances, dtype=np.float32), queries=np.array(queries, dtype=np.int64))


def _attack(
    attack: Callable[[Recorder, AttackedPair], None],
    network: Callable[[Float[Tensor, "b c h w"]], Int[Tensor, " b"]],
    pair: AttackedPair,
    *,
    counts: Sequence[int],
    key: int,
) -> tuple[tuple[float, ...], int]:
    # Known to be across from a larger batch, possibly on another device: on the boundary itself, rounding decides.
    if int(network(pair.start[None])) != pair.target:
        return never_across(counts), 0
    recorder = Recorder(network, pair.image, pair.target, start=pair.start, counts=counts)
    torch.default_generator.manual_seed(int(key))
    np.random.seed(int(key) % 2**32)  # noqa: NPY002, TID251  # ART draws from it, in a process of its own
    with contextlib.suppress(EnoughAsked):
        attack(recorder, pair)
    return recorder.distances(), recorder.queries


def _decisions_of(module: nn.Module) -> Callable[[Float[Tensor, "b c h w"]], Int[Tensor, " b"]]:
    def decide(images: Float[Tensor, "b c h w"]) -> Int[Tensor, " b"]:
        with torch.inference_mode():
            decisions: Int[Tensor, " b"] = module(images).argmax(dim=1)
        return decisions.clone()

    return decide


def _one_hot(decisions: Int[Tensor, " b"], num_classes: int) -> Float[Tensor, "b num_classes"]:
    return nn.functional.one_hot(decisions, num_classes).float()


if __name__ == "__main__":
    name, *files = sys.argv[1:]
    attack_pairs(name, *map(Path, files))
