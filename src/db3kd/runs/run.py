"""The run directory: the plan, the teacher's fingerprint, the ledger, the shards, and what was made of them.

Looking at a run takes no lock, so that `db3kd status` works beside the process that writes. The first write takes it.
The pipeline and the command line open runs; they turn what is stored here into tensors and figures.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import final

from db3kd.errors import ArtifactError, RunError
from db3kd.ledger import Ledger, Statement
from db3kd.runs.artifacts import Artifacts
from db3kd.runs.environment import describe_environment
from db3kd.runs.files import remove_drafts, storage_errors, write_atomically
from db3kd.runs.identity import check_teacher, merge_plans, plan_from_file, plan_to_bytes
from db3kd.runs.journal import Journal
from db3kd.runs.lock import RunLock
from db3kd.runs.records import append_record, read_object, read_records, write_object, write_records
from db3kd.runs.shards import Shards

_OWN_NAMES = {
    "plan.toml",
    "teacher.json",
    "environment.json",
    "digests.json",
    "ledger.sqlite",
    "answers.sqlite",
    "run.lock",
    "shards",
}


@final
class Run:
    """A folder that remembers a run; running again goes on where it stopped.

    Args:
        folder: the folder, made with the first write.

    Raises:
        RunError: there is a file of this name.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        if self.folder.exists() and not self.folder.is_dir():
            raise RunError(f"{self.folder} should be a folder and is a file; nothing was done: name another directory")
        self.shards = Shards(self.folder / "shards")
        self._artifacts = Artifacts(self.folder)
        self._lock = RunLock(self.folder)
        self._ledger: Ledger | None = None

    def adopt(self, plan: Mapping[str, object]) -> dict[str, object]:
        """Make a plan the run's own, or check that it is.

        Args:
            plan: sections of values, and values outside of any; only what TOML can hold, None is the same as absent.
                The section `budget` is no part of the identity: the newest is kept.

        Returns:
            The run's plan: what was there and what is new.

        Raises:
            RunMismatch: another plan made this run; each key that differs is named.
            RunError: another process is writing this run.
            ArtifactError: the kept plan was edited into something else.
            StorageError: the disk is full or the folder cannot be written.
        """
        self.hold()
        kept = self.plan()
        merged = merge_plans(kept or {}, plan, self.folder)
        if merged != kept:
            write_atomically(self.folder / "plan.toml", plan_to_bytes(merged))
        return merged

    def plan(self) -> dict[str, object] | None:
        """Read the run's plan.

        Returns:
            The plan, or None where none was adopted yet.

        Raises:
            ArtifactError: it was edited into something else.
        """
        return plan_from_file(self.folder / "plan.toml")

    def adopt_teacher(self, fingerprint: str) -> None:
        """Make a teacher the run's own, or check that it is.

        Args:
            fingerprint: tells two teachers apart.

        Raises:
            RunMismatch: another teacher made this run.
            RunError: another process is writing this run.
            ArtifactError: the kept fingerprint was edited into something else.
            StorageError: the disk is full or the folder cannot be written.
        """
        self.hold()
        path = self.folder / "teacher.json"
        kept = read_object(path, "put the right file back, or use another run directory")
        if kept is None:
            write_object(path, {"fingerprint": fingerprint})
        else:
            check_teacher(str(kept.get("fingerprint")), fingerprint, self.folder)

    def ledger(self) -> Ledger:
        """Open the run's ledger, to spend; it is closed with the run.

        Returns:
            The ledger, one and the same at each call.

        Raises:
            RunError: another process is writing this run.
            ArtifactError: the ledger is damaged or of another format version.
            StorageError: it cannot be made or read.
        """
        self.hold()
        if self._ledger is None:
            self._ledger = Ledger(self.ledger_path)
        return self._ledger

    @property
    def ledger_path(self) -> Path:
        """Where the ledger is, for processes that work for this one."""
        return self.folder / "ledger.sqlite"

    @property
    def answers_path(self) -> Path:
        """Where answers are kept by question, in a run that keeps them."""
        return self.folder / "answers.sqlite"

    def statement(self) -> Statement:
        """Tell what was spent so far; also while another process is writing.

        Returns:
            The rows charged, by stage.

        Raises:
            ArtifactError: the ledger is damaged or of another format version.
            StorageError: it cannot be read.
        """
        if self._ledger is not None:
            return self._ledger.statement()
        if not self.ledger_path.exists():
            return Statement(by_stage={}, total=0, held_out={}, unsettled=0)
        with Ledger(self.ledger_path) as ledger:
            return ledger.statement()

    def put(self, name: str, data: bytes) -> None:
        """Keep a file, in the place of the one before.

        Args:
            name: the file's name, such as `transfer.safetensors`.
            data: its content.

        Raises:
            RunError: another process is writing this run.
            ArtifactError: `digests.json` was changed.
            StorageError: the disk is full or the folder cannot be written; the file is as it was before.
        """
        self._free_name(name)
        self.hold()
        self._artifacts.put(name, data)

    def get(self, name: str) -> bytes | None:
        """Read a file that was put.

        Args:
            name: the file's name.

        Returns:
            Its content, or None where there is none or where it has no digest: then it is to be made again.

        Raises:
            ArtifactError: the file or `digests.json` was changed or cut short.
        """
        return self._artifacts.get(self._free_name(name))

    def has(self, name: str) -> bool:
        """Tell whether a file was put; whether it is whole shows when it is read."""
        return self._artifacts.has(self._free_name(name))

    def remove(self, name: str) -> None:
        """Delete a file that was put, such as the state of a training that is done.

        Args:
            name: the file's name; it need not be there.

        Raises:
            RunError: another process is writing this run.
            StorageError: the folder cannot be written.
        """
        self.hold()
        self._artifacts.remove(self._free_name(name))

    def shards_of(self, stage: str) -> Shards:
        """Give the shards of a stage beside the labelling, whose own are `shards`.

        Args:
            stage: its name.

        Returns:
            The shards, in a folder `STAGE-shards`; whoever writes them holds the run first.
        """
        return Shards(self.folder / self._free_name(f"{stage}-shards"))

    def journal(self, name: str, identity: bytes) -> Journal:
        """Open the journal of a stage that has no shards.

        Args:
            name: of the stage.
            identity: tells what the answers are to; any length.

        Returns:
            The journal; whoever opened it closes it.

        Raises:
            ArtifactError: the file holds answers to something else or is of another format version.
            RunError: another process is writing this run.
            StorageError: the file cannot be written.
        """
        self.hold()
        return Journal(self.folder / self._free_name(f"{name}.journal"), identity)

    def drop_journal(self, name: str) -> None:
        """Delete the journal of a stage whose answers are kept now.

        Args:
            name: of the stage; its journal need not be there.

        Raises:
            StorageError: the folder cannot be written.
        """
        path = self.folder / self._free_name(f"{name}.journal")
        with storage_errors(path):
            path.unlink(missing_ok=True)

    def append_line(self, record: Mapping[str, object], *, name: str = "training.jsonl") -> None:
        """Add a line to a file of records.

        Args:
            record: what JSON can hold; a number that JSON cannot hold is written as null.
            name: the file's name.

        Raises:
            RunError: another process is writing this run.
            StorageError: the disk is full or the file cannot be written; the lines before are kept.
        """
        self.hold()
        append_record(self.folder / self._free_name(name), record)

    def rewrite_lines(self, records: Sequence[Mapping[str, object]], *, name: str = "training.jsonl") -> None:
        """Replace a file of records, for instance by those up to the epoch that a training goes on from.

        Args:
            records: as for `append_line`.
            name: the file's name.

        Raises:
            RunError: another process is writing this run.
            StorageError: the disk is full or the folder cannot be written; the file is as it was before.
        """
        self.hold()
        write_records(self.folder / self._free_name(name), records)

    def lines(self, *, name: str = "training.jsonl") -> tuple[dict[str, object], ...]:
        """Read a file of records, without a last line that a kill tore off.

        Args:
            name: the file's name.

        Returns:
            The records in their order; none where there is no file.

        Raises:
            ArtifactError: a line was edited into something else.
        """
        return read_records(self.folder / self._free_name(name))

    def hold(self) -> None:
        """Become the one process that writes this run, until it is closed; every method that writes begins so.

        Raises:
            RunError: another process is writing this run; its number is named.
            StorageError: the folder cannot be made or written.
        """
        if self._lock.held:
            return
        with storage_errors(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock.take()
            try:
                remove_drafts(self.folder)
                for folder in (self.folder / "shards", *self.folder.glob("*-shards")):
                    remove_drafts(folder)
                    Shards(folder).drop_finished_journals()
                self._note_environment()
            except BaseException:
                self.close()
                raise

    def written_since(self) -> float | None:
        """Tell since when a process of this machine has been writing this run; looking does not hold it up.

        Returns:
            Seconds since the epoch; None where no such process is at work.
        """
        return self._lock.held_since()

    def close(self) -> None:
        """Let other processes write this run."""
        if self._ledger is not None:
            self._ledger.close()
            self._ledger = None
        self._lock.release()

    def __enter__(self) -> "Run":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _note_environment(self) -> None:
        """Add this environment to those that the run was made with, unless it is the last one still."""
        path = self.folder / "environment.json"
        way_out = "delete it and run again: only the note of what the run was made with is lost"
        noted = (read_object(path, way_out) or {}).get("environments", [])
        if not isinstance(noted, list) or not all(isinstance(entry, dict) for entry in noted):
            raise ArtifactError(f"{path} was changed: a list of environments was expected; {way_out}")
        now = describe_environment()
        last = {key: value for key, value in noted[-1].items() if key != "since"} if noted else None
        if last != now:
            since = datetime.now(UTC).isoformat(timespec="seconds")
            write_object(path, {"environments": [*noted, {"since": since, **now}]})

    def _free_name(self, name: str) -> str:
        if not name or name in _OWN_NAMES or name != Path(name).name or name.startswith("."):
            raise ValueError(f"a file of a run is called by a plain name other than {sorted(_OWN_NAMES)}, got {name!r}")
        return name
