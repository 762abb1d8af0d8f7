"""Answers that a server gave before, by what was asked: whoever asks about the same image again is charged nothing."""

import logging
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import final

import numpy as np
import torch

from db3kd.errors import StorageError
from db3kd.oracle import Oracle
from db3kd.runs.files import storage_errors
from db3kd.runs.journal import Journal
from db3kd.runs.lock import RunLock
from db3kd.runs.replay import Index, Recalling, digests_of
from db3kd.teachers import TeacherSpec
from db3kd.tensors import Float, Int, Tensor

_log = logging.getLogger(__name__)


@final
class Memory:
    """What all clients of one teacher were answered, in a folder of its own: another start of the server, another file.

    An ArtifactError where a file belongs to another teacher, a RunError where another server remembers there.
    """

    def __init__(self, folder: Path, spec: TeacherSpec) -> None:
        with storage_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = RunLock(folder)
            self._lock.take()
            files = sorted(folder.glob("*.journal"))
        identity = spec.fingerprint.encode()
        for file in files:
            # It opens for its own teacher alone.
            Journal(file, identity, recording=True).close()
        self._index = Index(spec)
        self._index.read(folder)
        number = int(files[-1].stem) + 1 if files else 0
        self._journal = Journal(folder / f"{number:05d}.journal", identity, recording=True)
        self._adding, self._unwritten = threading.Lock(), dict[bytes, int]()

    def ask(self, oracle: Oracle, images: Float[Tensor, "b c h w"]) -> tuple[Int[Tensor, " b"], int]:
        """Answer, and tell how many rows were not asked again.

        Cost: one query for each different image that nobody asked about before.
        """
        before = len(self._index)
        decisions = torch.cat(list(Recalling(oracle, self).answers(images)))
        return decisions, len(images) - (len(self._index) - before)

    def note(self, images: Float[Tensor, "b c h w"], decisions: Int[Tensor, " b"]) -> None:
        """Note what images were answered."""
        self.add(dict(zip(digests_of(images), decisions.tolist(), strict=True)))

    def find(self, digests: Sequence[bytes]) -> dict[bytes, int]:
        """Give the classes of those that are known; see `Known`."""
        return self._index.find(digests)

    def add(self, answers: dict[bytes, int]) -> None:
        """Note answers that were paid now, before anybody gets them; see `Known`."""
        # Several calls of one request may be answered at once.
        with self._adding:
            known = self._index.find(list(answers))
            new = {digest: decision for digest, decision in answers.items() if digest not in known}
            self._index.add(new)
            self._unwritten |= new
            self._write()

    def _write(self) -> None:
        """Have all answers in the file; where the disk is full they are given all the same, and written later."""
        if not self._unwritten:
            return
        try:
            self._journal.append(0, np.array(list(self._unwritten.values())), list(self._unwritten))
        except StorageError as error:
            lost = "%d answers are not remembered beyond the end of this server unless there is room until then: %s"
            _log.warning(lost, len(self._unwritten), error)
        else:
            self._unwritten = {}

    def __enter__(self) -> "Memory":
        return self

    def __exit__(self, *error: object) -> None:
        self._write()
        self._journal.close()
        self._lock.release()
