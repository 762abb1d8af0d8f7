"""An ONNX file beside the network that it was made of: the same answers, how fast, how accurate.

Called by `exporting`. What a file is asked costs nobody anything.
"""

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Shaped
from torch import nn

from db3kd.data import Dataset
from db3kd.data.dataset import as_bytes, in_unit
from db3kd.errors import InputError
from db3kd.models.onnx_file import Pixels, open_session
from db3kd.tensors import Float, Int, Tensor

_CALLS, ROWS_TIMED = 30, 64
_ROWS_PER_PASS = 256
# Two programs round differently: what lies nearer together than this part of the largest logit is a tie.
_TIE = 1e-3


@dataclass(frozen=True, eq=False)
class Examples:
    """Images to check files on, of a kind, and what somebody says that they are; a negative class is left out."""

    images: Dataset
    kind: str
    classes: Int[Tensor, " n"] | None = None
    said_by: str = "labels"

    def accuracy(self, answers: Int[Tensor, " n"]) -> float | None:
        """Tell the share of the images that are answered as somebody says."""
        if self.classes is None:
            return None
        said = self.classes >= 0
        return (answers == self.classes)[said].double().mean().item() if bool(said.any()) else None


@dataclass(frozen=True)
class Latency:
    """How long a call takes on the CPU, in milliseconds: the median of some calls of one and of `rows` images."""

    one: float
    many: float
    rows: int


@dataclass(frozen=True)
class FileFigures:
    """One ONNX file: its speed, on how many images it answers as the network in torch, and its accuracy there."""

    latency: Latency
    same_answers: int
    accuracy: float | None


def answers_of(module: nn.Module, examples: Examples, pixels: Pixels) -> Float[Tensor, "n num_classes"]:
    """Ask a network in torch, about images as a file takes them."""
    with torch.inference_mode():
        return torch.cat([module(in_unit(torch.from_numpy(some))) for some in _batches(examples.images, pixels)])


def measure_file(
    content: bytes, examples: Examples | None, pixels: Pixels, expected: Float[Tensor, "n num_classes"] | None
) -> tuple[FileFigures, Float[Tensor, "n num_classes"] | None]:
    """Time an ONNX file, and hold it against what the network answered; its logits are given too."""
    session = open_session(content)

    def ask(images: Shaped[np.ndarray, "b c h w"]) -> Float[Tensor, "b num_classes"]:
        return torch.from_numpy(session.run(["logits"], {"images": images})[0])

    sides = [int(side) for side in session.get_inputs()[0].shape[1:]]
    noise = as_taken(torch.rand(ROWS_TIMED, *sides, generator=torch.Generator().manual_seed(0)), pixels)
    latency = Latency(median(lambda: ask(noise[:1])), median(lambda: ask(noise)), ROWS_TIMED)
    if examples is None or expected is None:
        return FileFigures(latency, 0, None), None
    logits = torch.cat([ask(some) for some in _batches(examples.images, pixels)])
    answers = logits.argmax(dim=1)
    same = int((answers == expected.argmax(dim=1)).sum())
    return FileFigures(latency, same, examples.accuracy(answers)), logits


def check_same(found: Float[Tensor, "n num_classes"], expected: Float[Tensor, "n num_classes"]) -> None:
    """Refuse a file whose answer differs from the network's, unless the network is undecided between the two."""
    answers, wanted = found.argmax(dim=1, keepdim=True), expected.argmax(dim=1, keepdim=True)
    behind = (expected.gather(1, wanted) - expected.gather(1, answers))[:, 0]
    wrong = behind > _TIE * expected.abs().amax(dim=1).clamp(min=1)
    if bool(wrong.any()):
        raise InputError(
            f"the ONNX file answers otherwise than the network on {int(wrong.sum()):,} of {len(wrong):,} images; "
            "nothing was written: the exporter of this torch cannot say this network, so take another architecture, or "
            "other versions of torch and onnxscript"
        )


def as_taken(images: Shaped[Tensor, "b c h w"], pixels: Pixels) -> Shaped[np.ndarray, "b c h w"]:
    """Bring images, 8-bit or in [0, 1], into the form that a file takes."""
    if pixels == "float":
        return in_unit(images).numpy()
    return (images if images.dtype == torch.uint8 else as_bytes(images)).numpy()


def median(call: Callable[[], object]) -> float:
    """Time some calls, in milliseconds."""
    # The first call is often slower than all others.
    call()
    seconds = []
    for _ in range(_CALLS):
        started = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - started)
    return 1000 * statistics.median(seconds)


def _batches(images: Dataset, pixels: Pixels) -> Iterator[Shaped[np.ndarray, "_ c h w"]]:
    for first in range(0, len(images), _ROWS_PER_PASS):
        yield as_taken(images.pixels[first : first + _ROWS_PER_PASS], pixels)
