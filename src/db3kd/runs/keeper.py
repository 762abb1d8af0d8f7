"""The keeper of a run: it alone reads and writes what stages make, checks keys, resumes, and says where a run stands.

A part is a safetensors file with its key and one digest in the header. While it is made, a journal holds the answers,
or a state holds the training. Stages are in `db3kd.pipeline`.
"""

import hashlib
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar, final

from safetensors import SafetensorError, safe_open

from db3kd.context import HERE, Context
from db3kd.errors import ArtifactError, RunError, RunMismatch
from db3kd.ledger import Limits
from db3kd.oracle import Oracle
from db3kd.runs.files import storage_errors, sync_folder, write_atomically
from db3kd.runs.journal import Journal, count_rows, is_record
from db3kd.runs.notebook import Notebook
from db3kd.runs.plan_file import differences_of
from db3kd.runs.records import read_object, write_object
from db3kd.runs.replay import Index, Recalling, Remembering, Spare
from db3kd.runs.run import Run
from db3kd.runs.stage import Kept, Outline, Part, Stage, Standing, State, numbered_part
from db3kd.teachers import Teacher
from db3kd.tensorfile import pack, unpack

_log = logging.getLogger(__name__)

Made = TypeVar("Made")
# A kill wastes at most one lease; a lease costs one write to the disk.
_LEASE = 16_384
_WAY_OUT = (
    "put the right file back, or delete it and run again: only what it holds is made, and its queries paid, again"
)


@final
class Keeper:
    """Keeps what stages of a run make; `recording` keeps each question, and `index` knows answers that were paid."""

    def __init__(
        self, run: Run, context: Context = HERE, *, recording: bool = False, index: Index | None = None
    ) -> None:
        self.run, self.context = run, context
        self._recording, self._index = recording, index
        if recording and index is not None:
            index.read(run.folder)

    def perform(self, stage: Stage[Made]) -> Made:
        """Make what is missing of a stage, at the cost that it says, and give what its `join` makes of all of it.

        A RunMismatch names the keys by which a part was made for something else. An ArtifactError where one was edited
        or truncated, a RunError where another process writes, a StorageError where the disk is full.
        """
        outline, kept = stage.outline, list[Kept]()
        for number, part in enumerate(outline.parts):
            found = self.read(part, stage)
            if found is None:
                if not part.epochs:
                    self.context.progress(outline.name, number, len(outline.parts), outline.unit)
                found = stage.make(number, tuple(kept), self)
                if found.whole:
                    self._write(part, stage, found)
            if found.whole:
                self._forget_beginning(part.name)
            kept.append(found)
            if found.last or not found.whole:
                break
            if not part.epochs:
                self.context.progress(outline.name, number + 1, len(outline.parts), outline.unit)
        return stage.join(tuple(kept))

    def has(self, part: str) -> bool:
        """Tell whether a part is there; whether it is whole shows when it is read."""
        return self._path(part).exists()

    def count(self, stage: str) -> int:
        """Tell how many numbered parts of a stage are there, one after another from the first."""
        number = 0
        while self.has(numbered_part(stage, number)):
            number += 1
        return number

    def about(self, part: str) -> Mapping[str, str]:
        """Read the short texts of a part; none where it is not there, or broken, which shows when it is read."""
        try:
            with safe_open(self._path(part), "pt") as file:
                return file.metadata() or {}
        except (FileNotFoundError, SafetensorError):
            return {}

    def key(self, part: str) -> Mapping[str, Any]:
        """Read by which key a part was made; nothing where it is not there."""
        key: Mapping[str, Any] = json.loads(self.about(part).get("key", "{}"))
        return key

    def noted(self, part: str) -> int:
        """Count the answers that wait in the journal of a part."""
        return count_rows(self._path(part).with_suffix(".journal"))

    def give_way(self, outline: Outline) -> None:
        """Delete the parts that cost no query, where what is to take their place costs some."""
        for part in outline.parts:
            if self._was_free(part):
                path = self._path(part.name)
                _log.info("%s gives way to what costs queries", path)
                self.run.hold()
                with storage_errors(path):
                    path.unlink()

    def _was_free(self, part: Part) -> bool:
        return part.queries > 0 and self.about(part.name).get("queries") == "0"

    def read(self, part: Part, stage: Stage[object]) -> Kept | None:
        """Read a part of a stage; None where it is not there, or is to be made again at no query."""
        found = self.look(part.name, stage.kind)
        if found is None:
            return None
        path = self._path(part.name)
        if found.about.get("part") != part.name:
            raise ArtifactError(
                f"{path} holds the part {found.about.get('part')!r}: files were exchanged; nothing was done: {_WAY_OUT}"
            )
        differing = differences_of(json.loads(found.about["key"]), json.loads(json.dumps(stage.key)), "")
        if not differing and found.about["source"] != stage.source:
            if not part.queries:
                _log.info("%s is made again, since what it was made of has changed", path)
                return None
            differing = ["what was bought before it is not what it was made of"]
        if found.last and not differing and found.about.get("ends", "") != stage.outline.ends:
            _log.info("%s is gone on with, since what ends it has changed", stage.outline.name)
            return None
        if differing:
            raise RunMismatch(
                f"{path} was made for something else: {'; '.join(differing)}. It was left as it is: ask for what it "
                "was, or use another run directory"
            )
        return found

    def look(self, part: str, kind: str) -> Kept | None:
        """Read a part whatever it was made for; None where it is not there."""
        path = self._path(part)
        if not path.exists():
            return None
        tensors, about = unpack(path.read_bytes(), kind=kind, origin=str(path), way_out=_WAY_OUT)
        return Kept(tensors, about, last=about.get("last") == "yes")

    @contextmanager
    def asking(
        self,
        teacher: Teacher,
        stage: Stage[object],
        number: int = 0,
        *,
        limits: Limits | None = None,
        held_out: bool = False,
        afresh: bool = False,
    ) -> Iterator[Remembering]:
        """Give an oracle for a part: it replays the part's journal, and notes each answer before it is used.

        Queries are booked under the stage's name, outside the budget where `held_out`; `afresh`, the teacher is asked
        even where an answer was recorded. What was leased and not used is given back at the end.
        """
        part = stage.outline.parts[number].name
        path = self._path(part).with_suffix(".journal")
        self._make_folder(path.parent)
        with (
            self.run.ledger().account(stage.outline.name, limits=limits, block=_LEASE, held_out=held_out) as booked,
            Journal(path, _identity(part, stage), recording=self._recording) as journal,
        ):
            spare, index = Spare(path.with_suffix(".spare")), None if afresh else self._index
            if spare.known:
                index = Index(teacher.spec) if index is None else index
                index.add(spare.known)
            known = bool(self._index or index) or not journal.empty or self._was_asked(stage)
            oracle = Oracle(teacher, booked, known=known, spare=spare.add)
            try:
                asked = oracle if index is None else Recalling(oracle, index)
                yield Remembering(asked, journal, recording=self._recording)
            finally:
                if oracle.usage.repeated:
                    _log.warning(
                        "%s: %d rows were charged again, since a call whose answer did not come may have been served",
                        part,
                        oracle.usage.repeated,
                    )

    def _was_asked(self, stage: Stage[object]) -> bool:
        """Whether a part that asks is there; told from files, so that a run that goes on sends the same calls."""
        outlines = (stage.outline, *self.declared())
        return any(self.has(part.name) for outline in outlines for part in outline.parts if part.queries)

    def training(self, part: Part, stage: Stage[object]) -> Notebook:
        """Give the notes of a training: where it was interrupted, and where its epochs are written down."""
        path = self._path(part.name).with_suffix(".state")
        self._make_folder(path.parent)
        return Notebook(self.run, path, part, _identity(part.name, stage).hex(), self.context)

    def declare(self, outlines: Sequence[Outline]) -> None:
        """Write down what a run is going to do, so that its status can be told without its teacher."""
        self.run.hold()
        write_object(self.run.folder / "stages.json", {"stages": [asdict(outline) for outline in outlines]})

    def declared(self) -> tuple[Outline, ...]:
        """Read what was declared; nothing where nothing was."""
        kept = read_object(self.run.folder / "stages.json", "delete it and run again: it is written anew") or {}
        stages = kept.get("stages", [])
        assert isinstance(stages, list)
        return tuple(Outline(**{**stage, "parts": tuple(Part(**part) for part in stage["parts"])}) for stage in stages)

    def standing(self, outlines: Sequence[Outline]) -> tuple[Standing, ...]:
        """Tell how far stages are, from the files that are there; nothing is written."""
        epochs = {str(line["part"]): int(str(line["epoch"])) for line in self.run.lines()}
        return tuple(self._stand(outline, epochs) for outline in outlines)

    def _stand(self, outline: Outline, epochs: Mapping[str, int]) -> Standing:
        there = [part for part in outline.parts if self.has(part.name) and not self._was_free(part)]
        ending = self._ending(there[-1].name) if there else None
        if ending not in (None, outline.ends):
            there.pop()
        missing = [part for part in outline.parts if part not in there]
        ended = missing and ending == outline.ends
        done, total, unit = len(outline.parts) - len(missing), len(outline.parts), outline.unit
        if total == 1 and outline.parts[0].epochs:
            done, total, unit = epochs.get(outline.parts[0].name, 0), outline.parts[0].epochs, "epochs"
            done = done if missing else total
        started = done or any(
            part.name in epochs or self._path(part.name).with_suffix(".journal").exists() for part in missing
        )
        state: State = "done" if not missing or ended else "begun" if started else "not begun"
        ahead = 0 if ended else sum(part.queries for part in missing)
        return Standing(outline.name, state, done, total, unit, ahead, outline.held_out)

    def _ending(self, part: str) -> str | None:
        """By which wishes a part is the last one; None where it is not."""
        about = self.about(part)
        return about.get("ends", "") if about.get("last") == "yes" else None

    def _write(self, part: Part, stage: Stage[object], made: Kept) -> None:
        self.run.hold()
        path = self._path(part.name)
        self._make_folder(path.parent)
        key = json.dumps(stage.key, sort_keys=True)
        about = {**made.about, "part": part.name, "key": key, "source": stage.source, "queries": str(part.queries)}
        if made.last:
            about |= {"last": "yes", "ends": stage.outline.ends}
        write_atomically(path, pack(made.tensors, about, kind=stage.kind))

    def _forget_beginning(self, part: str) -> None:
        """Delete the state of a training that is done, and the journal of answers that are kept now; a record stays."""
        path = self._path(part)
        journal = path.with_suffix(".journal")
        with storage_errors(path):
            done = [file for ending in (".state", ".spare") if (file := path.with_suffix(ending)).exists()]
            if journal.exists() and not is_record(journal):
                done.append(journal)
            for file in done:
                self.run.hold()
                file.unlink()

    def _make_folder(self, folder: Path) -> None:
        self.run.hold()
        with storage_errors(folder):
            if not folder.exists():
                folder.mkdir(parents=True)
                sync_folder(folder.parent)

    def _path(self, part: str) -> Path:
        if not all(piece and not piece.startswith(".") and piece == Path(piece).name for piece in part.split("/")):
            raise RunError(f"a part of a run is called by plain names, got {part!r}; nothing was done: rename it")
        return self.run.folder / f"{part}.safetensors"


def _identity(part: str, stage: Stage[object]) -> bytes:
    """What a journal or the state of a training belongs to; of another one, nothing is replayed or gone on with."""
    return hashlib.sha256(json.dumps([part, stage.key, stage.source], sort_keys=True).encode()).digest()
