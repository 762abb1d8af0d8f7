"""Oracles that remember: from a journal where a stage goes on, and from recorded runs where a question was paid before.

The keeper puts them in front of the oracle. What they do not know, the oracle is asked, and it alone charges.
"""

import hashlib
import logging
import zlib
from collections.abc import Iterator, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Protocol, final, runtime_checkable

import numpy as np
import torch

from db3kd.errors import ArtifactError, InvalidDecision, PlanError, RunMismatch, TeacherError
from db3kd.oracle import FIRST_ENDS, Oracle
from db3kd.runs.files import write_atomically
from db3kd.runs.journal import DIGEST_BYTES, Journal, answered
from db3kd.runs.run import Run, described_teacher
from db3kd.teachers import TeacherSpec
from db3kd.tensorfile import pack, unpack
from db3kd.tensors import Float, Int, Tensor

_log = logging.getLogger(__name__)

_SAMPLED_PIXELS = 32
_SPARE = "db3kd-spare-1"
_WAY_OUT = "put the right file back, or delete it and run again: only what it holds is asked, and paid, again"
_MOST_GIVEN = 1024


@runtime_checkable
class Known(Protocol):
    """Answers that were paid once, by the digest of their question."""

    def find(self, digests: Sequence[bytes]) -> dict[bytes, int]:
        """Give the classes of those that are known."""

    def add(self, answers: dict[bytes, int]) -> None:
        """Add answers that were paid now."""


@final
class Index:
    """Answers that were paid once, by the digest of their question."""

    def __init__(self, spec: TeacherSpec, folders: Sequence[Path] = ()) -> None:
        self._known: dict[bytes, int] = {}
        for folder in folders:
            about = Run(folder).teacher() or {}
            if about.get("fingerprint") != spec.fingerprint:
                raise RunMismatch(
                    f"{folder} was recorded with the teacher {about.get('fingerprint')!r}, and the one given is "
                    f"{spec.fingerprint!r}; nothing was asked: name recorded runs of the same teacher"
                )
            before = len(self._known)
            self.read(folder)
            if len(self._known) == before:
                raise ArtifactError(
                    f"there are no recorded answers in {folder}; nothing was asked: set budget.record where they are "
                    "paid, or leave this run out"
                )

    def __len__(self) -> int:
        return len(self._known)

    def read(self, folder: Path) -> None:
        """Take in the journals of a run; of a question that was asked again later, the first answer stays."""
        # The repeats come after the answers by name too.
        for path in sorted(folder.rglob("*.journal")):
            for digest, decision in answered(path).items():
                self._known.setdefault(digest, decision)

    def find(self, digests: Sequence[bytes]) -> dict[bytes, int]:
        """See `Known`."""
        return {digest: self._known[digest] for digest in digests if digest in self._known}

    def add(self, answers: dict[bytes, int]) -> None:
        """See `Known`."""
        self._known |= answers


@final
class Spare:
    """Answers that were paid and could not be given in their order, in a file of their own until they are asked for."""

    def __init__(self, path: Path) -> None:
        self._path, self.known = path, dict[bytes, int]()
        if path.exists():
            tensors, _ = unpack(path.read_bytes(), kind=_SPARE, origin=str(path), way_out=_WAY_OUT)
            names = tensors["digests"].numpy()
            self.known = dict(zip(map(np.ndarray.tobytes, names), tensors["decisions"].tolist(), strict=True))

    def add(self, images: Float[Tensor, "b c h w"], decisions: Int[Tensor, " b"]) -> None:
        """Keep some more."""
        self.known |= zip(digests_of(images), decisions.tolist(), strict=True)
        digests = np.frombuffer(b"".join(self.known), np.uint8).reshape(-1, DIGEST_BYTES)
        tensors = {"digests": torch.from_numpy(digests.copy()), "decisions": torch.tensor(list(self.known.values()))}
        write_atomically(self._path, pack(tensors, {}, kind=_SPARE))
        _log.warning("%d answers came beside a call that failed, and are kept in %s", len(decisions), self._path)


def known_answers(
    spec: TeacherSpec, folders: Sequence[str | Path] = (), *, record: bool | None = None
) -> tuple[bool, Index | None]:
    """Say whether answers are recorded, and which are known: where each question is billed, none is asked twice."""
    recording = spec.meter is not None if record is None else record
    return recording, Index(spec, [Path(folder) for folder in folders]) if recording or folders else None


@final
class Recalling:
    """Asks only what was never asked before."""

    def __init__(self, oracle: Oracle, index: Known) -> None:
        self.spec: TeacherSpec = oracle.spec
        self._oracle, self._index = oracle, index

    def answers(self, images: Float[Tensor, "n c h w"]) -> Iterator[Int[Tensor, " b"]]:
        """Get decisions batch by batch; see `Oracle.answers`.

        Cost: one query for each different image that was not asked before.
        """
        asked = digests_of(images)
        known = self._index.find(asked)
        # A question that comes twice is asked once.
        first = {digest: row for row, digest in reversed(list(enumerate(asked))) if digest not in known}
        rows, done = sorted(first.values()), 0
        bought = self._oracle.answers(images[rows]) if rows else iter(())
        given = 0
        while given < len(asked):
            # As far as it is known, at once: what is noted is not lost by a kill.
            some = [known[digest] for digest in takewhile(known.__contains__, asked[given : given + _MOST_GIVEN])]
            if some:
                given += len(some)
                yield torch.tensor(some, dtype=torch.int64)
                continue
            try:
                decisions = next(bought)
            except InvalidDecision as error:
                # Rows of a call that holds no image that was known before: counted from what was given.
                raise InvalidDecision(str(error), rows=[rows[done + row] - given for row in error.rows]) from error
            answered_now = [asked[row] for row in rows[done : done + len(decisions)]]
            paid = dict(zip(answered_now, decisions.tolist(), strict=True))
            self._index.add(paid)
            known |= paid
            done += len(decisions)


@final
class Remembering:
    """An oracle that answers from a journal as far as it reaches, and notes every answer before it is used."""

    def __init__(self, oracle: Oracle | Recalling, journal: Journal, *, recording: bool = False) -> None:
        self.spec: TeacherSpec = oracle.spec
        self._oracle, self._journal, self._recording = oracle, journal, recording

    def __call__(self, images: Float[Tensor, "n c h w"]) -> Int[Tensor, " n"]:
        """Answer all; where the budget ends in the middle, what was answered before is in the journal alone."""
        return torch.cat([torch.zeros(0, dtype=torch.int64), *self.answers(images)]).to(images.device)

    def answers(self, images: Float[Tensor, "n c h w"]) -> Iterator[Int[Tensor, " b"]]:
        """Answer batch by batch, so that a kill loses the calls in flight and no more; see `Oracle.answers`."""
        whole, done = self.spec.max_batch, 0
        while done < len(images):
            # Fewer than a batch where a teacher who had never answered was asked about a few rows first.
            asked = images[done : done + (self._journal.next_rows or whole)]
            recorded = self._journal.next_record(_checksum(asked), len(asked))
            if recorded is None:
                break
            yield torch.from_numpy(recorded)
            done += len(recorded)
        # The batches of a run that goes on are those of one that was not interrupted.
        end = min(len(images), -(-done // whole) * whole)
        for stop in (*(min(first, end) for first in FIRST_ENDS if 0 < done < first), end, len(images)):
            if stop > done:
                yield from self._ask(images[done:stop])
                done = stop

    def _ask(self, fresh: Float[Tensor, "n c h w"]) -> Iterator[Int[Tensor, " b"]]:
        """Ask, and note each answer with its question."""
        done = 0
        for decisions in self._oracle.answers(fresh):
            batch = fresh[done : done + len(decisions)]
            digests = digests_of(batch) if self._recording else ()
            self._journal.append(_checksum(batch), decisions.cpu().numpy(), digests)
            done += len(batch)
            yield decisions.cpu()


@final
class RecordedTeacher:
    """Stands in for a teacher as far as its answers were recorded; it has the teacher's own fingerprint."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        about = Run(folder).teacher() or {}
        try:
            self.spec = described_teacher(about)
        except (KeyError, PlanError) as error:
            raise ArtifactError(
                f"{folder} does not say which teacher was recorded ({error}); nothing was asked: name the directory of "
                "a run that was made with budget.record"
            ) from error
        self._index = Index(self.spec, [folder])

    def __call__(self, images: Float[Tensor, "b c h w"]) -> Int[Tensor, " b"]:
        """Decide; what was never asked is an error that says so."""
        asked = digests_of(images)
        found = self._index.find(asked)
        missing = sum(digest not in found for digest in asked)
        if missing:
            raise TeacherError(
                f"{missing} of {len(asked)} questions were never asked when {self._folder} was recorded; what was "
                "replayed before is kept: ask what was asked then, or the teacher itself"
            )
        return torch.tensor([found[digest] for digest in asked], dtype=torch.int64)


def digests_of(images: Float[Tensor, "b c h w"]) -> list[bytes]:
    """Tell images apart, as they are sent, by a digest of each."""
    pixels = images.detach().cpu().contiguous().numpy().astype("<f4", copy=False)
    return [hashlib.blake2b(row.tobytes(), digest_size=DIGEST_BYTES).digest() for row in pixels]


def _checksum(batch: Float[Tensor, "b c h w"]) -> int:
    """Tell two questions apart; a sample of the pixels will do, since every search moves all of them."""
    flat = batch.flatten(1)
    sample = flat[:, :: max(1, flat.shape[1] // _SAMPLED_PIXELS)].cpu().contiguous().numpy()
    return zlib.crc32(sample.astype(np.float32, copy=False).tobytes())
