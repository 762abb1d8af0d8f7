"""Has a rival copy a teacher in its own process, and answers its questions from here, each of them charged."""

import contextlib
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np
import torch
from torch import nn

from benchmarks.environment import ART, rivals_python, variables
from benchmarks.extraction import messages
from db3kd.data import Dataset
from db3kd.errors import Db3kdError, InputError
from db3kd.ledger import Limits
from db3kd.models import weights
from db3kd.pipeline.asking import teacher_key
from db3kd.pipeline.learn import network_of
from db3kd.runs import Keeper, Kept, Key, Outline, Part
from db3kd.runs.replay import Remembering
from db3kd.teachers import Teacher

RIVALS = ("copycat-cnn", "knockoff-nets")
# ART's notebook on model stealing has these 64 images a step, Adam at this rate, and 5 epochs, in which few answers are
# hardly learned. The defaults of ART's classes, one image a step and 10 epochs, do better with some seeds and far worse
# with others. Ten times the rate does better for CopycatCNN, but KnockoffNets then learns nothing.
_SETTINGS = {"epochs": 100, "batch_size": 64, "rate": 1e-3}


@final
@dataclass(frozen=True)
class Extract:
    """The stage in which a rival asks and its network learns.

    Args:
        rival: a name of `RIVALS`.
        teacher: decides, always.
        images: the pool; KnockoffNets needs the true labels, since it chooses among classes.
        architecture: of the student.
        questions: to ask.
        seed: of the student's weights and of all that is drawn.

    Raises:
        InputError: the rival cannot be used here.
        Db3kdError: its process failed; what it said stands in the error.

    Cost: `questions`, or as many as the pool has images where CopycatCNN is to ask more.
    """

    rival: str
    teacher: Teacher
    images: Dataset
    architecture: str
    questions: int
    seed: int

    kind = weights.FORMAT

    def __post_init__(self) -> None:
        if self.teacher.spec.abstains or self.images.labels is None:
            raise InputError(
                f"{self.rival} needs a teacher that always decides and a pool with labels; got "
                f"{'one that may abstain' if self.teacher.spec.abstains else 'images without labels'}; nothing was "
                "asked: leave it out"
            )

    @property
    def outline(self) -> Outline:
        return Outline(self.rival, (Part(self.rival, self.questions),))

    @property
    def key(self) -> Key:
        asked = {"architecture": self.architecture, "questions": self.questions, "seed": self.seed}
        return {**teacher_key(self.teacher.spec), "art": ART, "images": self.images.digest, **asked, **_SETTINGS}

    @property
    def source(self) -> str:
        """The key says all."""
        return ""

    def make(self, number: int, before: Sequence[Kept], keeper: Keeper) -> Kept:
        """Run the rival; begun again, it draws the same, so that the journal answers what was paid before."""
        assert self.images.labels is not None, "checked when it was made"
        limits = Limits(stage=self.questions)
        with (
            tempfile.TemporaryDirectory(prefix="db3kd-rival-") as folder,
            keeper.asking(self.teacher, self, limits=limits) as oracle,
        ):
            request, learned = Path(folder) / "request.npz", Path(folder) / "student.safetensors"
            np.savez(
                request,
                images=self.images.pixels.numpy(),
                labels=self.images.labels.numpy(),
                questions=self.questions,
                classes=self.teacher.spec.num_classes,
                seed=self.seed,
                architecture=self.architecture,
                **_SETTINGS,  # type: ignore[arg-type]  # numpy's own keyword is a bool
            )
            self._run(request, learned, oracle)
            network, header = weights.from_file(learned)
        return Kept(network.state_dict(), header)

    def join(self, parts: Sequence[Kept]) -> nn.Module:
        return network_of(parts[0])

    def _run(self, request: Path, learned: Path, oracle: Remembering) -> None:
        said = request.with_name("said.txt")
        command = (str(rivals_python()), "-m", "benchmarks.extraction.worker", self.rival, request, learned)
        with (
            said.open("wb") as errors,
            subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, env=variables()
            ) as process,
        ):
            assert process.stdin is not None, "asked for"
            assert process.stdout is not None, "asked for"
            try:
                with contextlib.suppress(BrokenPipeError):
                    while asked := messages.receive(process.stdout):
                        images = torch.frombuffer(bytearray(asked), dtype=torch.float32)
                        images = images.view(-1, *self.teacher.spec.input_shape)
                        messages.send(process.stdin, oracle(self.teacher.spec.admit(images)).numpy())
            except BaseException:
                # Its questions are answered no more: it would wait for ever.
                process.kill()
                raise
        if process.returncode:
            raise Db3kdError(
                f"the process of {self.rival} must end with code 0, got {process.returncode}; what it asked stays "
                f"charged and is in the run's journal: correct what it said and run again to go on:\n"
                f"{said.read_text(errors='replace').strip()[-2000:]}"
            )
