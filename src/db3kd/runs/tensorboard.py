"""Figures of trainings and rounds as a log of TensorBoard, beside the run's own files.

Each training, and the rounds, is a folder of the log. A resumed run goes on there: what was heard after the point that
it resumes at is taken back. Needs the extra `tracking`.
"""

import logging
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, final

from db3kd.errors import needing

_log = logging.getLogger(__name__)

LOG = "tensorboard"


@final
class TensorBoard:
    """A `Tracker` that writes the log that `tensorboard --logdir RUN/tensorboard` shows."""

    def __init__(self, folder: Path) -> None:
        with needing("tracking", "a log of TensorBoard", outcome="nothing was done"):
            from torch.utils.tensorboard import SummaryWriter
        self._make, self._folder = SummaryWriter, folder / LOG
        self._writers: dict[str, Any] = {}
        self._failed = False

    def __call__(self, source: str, step: int, figures: Mapping[str, float]) -> None:
        if self._failed:
            return
        try:
            self._write(source, step, figures)
        except Exception as error:  # noqa: BLE001  # whatever its writer raises, where a disk is full
            self._failed = True
            _log.warning(
                "the log of TensorBoard could not be written (%s: %s); the run goes on without it, and keeps all "
                "figures in training.jsonl",
                type(error).__name__,
                error,
            )

    def _write(self, source: str, step: int, figures: Mapping[str, float]) -> None:
        writer = self._writers.get(source)
        if writer is None:
            # The first step that is heard is where a training begins or goes on: later ones in the log are void.
            writer = self._writers[source] = self._make(self._folder / source, purge_step=step)
        for name, value in figures.items():
            writer.add_scalar(name, value, step)
        # What was heard is there after a kill too, as the run's own lines are.
        writer.flush()

    def close(self) -> None:
        """Close the log."""
        for writer in self._writers.values():
            # A full disk was told above.
            with suppress(Exception):
                writer.close()
        self._writers.clear()
