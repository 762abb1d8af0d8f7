"""The run directory: the plan, the teacher, the ledger, the environment, and who is writing.

Looking at a run takes no lock, so that `db3kd status` works while another process writes. The first write takes it.
What stages make is read and written by `keeper.py`.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, final

from db3kd.errors import ArtifactError, RunError, RunMismatch
from db3kd.ledger import Ledger, Statement
from db3kd.runs.environment import describe_environment
from db3kd.runs.files import remove_drafts, storage_errors, write_atomically
from db3kd.runs.lock import RunLock
from db3kd.runs.plan_file import merge_plans, plan_from_file, plan_to_bytes
from db3kd.runs.records import append_record, read_object, read_records, write_object, write_records
from db3kd.teachers import TeacherSpec

_TRAINING = "training.jsonl"
_OF_TEACHER = ("fingerprint", "input_shape", "num_classes", "bounds", "max_batch", "levels", "abstains", "class_names")


@final
class Run:
    """A folder that remembers a run, made with the first write; running again goes on where it stopped."""

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        if "\0" in str(folder):
            raise RunError(f"{str(folder)!r} is no path; nothing was done: name another directory")
        with storage_errors(self.folder):
            taken = self.folder.exists() and not self.folder.is_dir()
        if taken:
            raise RunError(f"{self.folder} should be a folder and is a file; nothing was done: name another directory")
        self._lock = RunLock(self.folder)
        self._ledger: Ledger | None = None

    def adopt(self, plan: Mapping[str, object]) -> dict[str, object]:
        """Make a plan the run's own, as far as TOML can hold it, and give what was there with what is new.

        A RunMismatch where another plan made this run; each key that differs is named. The budget may differ. An
        ArtifactError where the kept plan was edited into something else.
        """
        self.hold()
        kept = self.plan()
        merged = merge_plans(kept or {}, plan, self.folder)
        if merged != kept:
            write_atomically(self.folder / "plan.toml", plan_to_bytes(merged))
        return merged

    def plan(self) -> dict[str, object] | None:
        """Read the run's plan; None where none was adopted yet."""
        return plan_from_file(self.folder / "plan.toml")

    def adopt_teacher(self, spec: TeacherSpec) -> None:
        """Make a teacher the run's own, or raise a RunMismatch where another one made it."""
        self.hold()
        if not self.check_teacher(spec):
            write_object(self.folder / "teacher.json", describe_teacher(spec))

    def check_teacher(self, spec: TeacherSpec) -> bool:
        """Refuse another teacher than the run's own, and write nothing; False where the run has none yet."""
        kept = self.teacher()
        if kept is not None and kept.get("fingerprint") != spec.fingerprint:
            raise RunMismatch(
                f"{self.folder} was made by the teacher with fingerprint {kept.get('fingerprint')!r}, and the one "
                f"given has {spec.fingerprint!r}. Nothing was changed or spent: give the same teacher, use another run "
                f"directory, or delete {self.folder} to begin anew"
            )
        return kept is not None

    def teacher(self) -> dict[str, object] | None:
        """Read what the run knows of its teacher; None before it was asked."""
        return read_object(self.folder / "teacher.json", "put the right file back, or use another run directory")

    def ledger(self) -> Ledger:
        """Open the run's ledger, to spend; it is closed with the run."""
        self.hold()
        if self._ledger is None:
            self._ledger = Ledger(self.folder / "ledger.sqlite")
        return self._ledger

    def statement(self) -> Statement:
        """Tell what was spent so far; also while another process is writing."""
        if self._ledger is not None:
            return self._ledger.statement()
        path = self.folder / "ledger.sqlite"
        if not path.exists():
            return Statement(by_stage={}, total=0, held_out={}, unsettled=0)
        with Ledger(path) as ledger:
            return ledger.statement()

    def put(self, name: str, data: bytes) -> None:
        """Write a file for people and other programs, such as `report.json`, in the place of the one before."""
        self.hold()
        write_atomically(self.folder / name, data)

    def get(self, name: str) -> bytes | None:
        """Read such a file; None where there is none."""
        path = self.folder / name
        return path.read_bytes() if path.exists() else None

    def append_line(self, record: Mapping[str, object], *, name: str = _TRAINING) -> None:
        """Add a line to a file of records; a number that JSON cannot hold is written as null."""
        self.hold()
        append_record(self.folder / name, record)

    def rewrite_lines(self, records: Sequence[Mapping[str, object]]) -> None:
        """Replace the records of trainings, for instance by those up to the epoch that one goes on from."""
        self.hold()
        write_records(self.folder / _TRAINING, records)

    def lines(self, *, name: str = _TRAINING) -> tuple[dict[str, object], ...]:
        """Read a file of records, without a last line that a kill tore off; none where there is no file."""
        return read_records(self.folder / name)

    def hold(self) -> None:
        """Become the one process that writes this run, until it is closed; every method that writes begins so.

        A RunError names the process that is writing it already.
        """
        if self._lock.held:
            return
        with storage_errors(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock.take()
            try:
                for folder in (self.folder, *(path for path in self.folder.iterdir() if path.is_dir())):
                    remove_drafts(folder)
                self._note_environment()
            except BaseException:
                self.close()
                raise

    def place(self, name: str) -> Path:
        """Give a folder of this run for files that can be made again; it is held, and the folder made, by then."""
        self.hold()
        folder = self.folder / name
        with storage_errors(folder):
            folder.mkdir(exist_ok=True)
        return folder

    def written_since(self) -> float | None:
        """Tell since when a process of this machine has been writing this run, in seconds since the epoch, or None."""
        return self._lock.held_since()

    def close(self) -> None:
        """Let other processes write this run."""
        if self._ledger is not None:
            self._ledger.close()
            self._ledger = None
        self._lock.release()

    def __enter__(self) -> "Run":
        return self

    def __exit__(self, *error: object) -> None:
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


def describe_teacher(spec: TeacherSpec) -> dict[str, object]:
    """Say of a teacher what a recording must know to stand in for it."""
    return {name: getattr(spec, name) for name in _OF_TEACHER}


def described_teacher(about: Mapping[str, object]) -> TeacherSpec:
    """Read what `describe_teacher` said; a KeyError where it is incomplete, a PlanError where it was changed."""
    # Older runs say no names.
    said: dict[str, Any] = {"class_names": (), **about}
    # JSON has lists.
    plain: dict[str, Any] = {name: tuple(one) if isinstance(one := said[name], list) else one for name in _OF_TEACHER}
    return TeacherSpec(**plain)


def existing(folder: Path | str) -> Run:
    """Open a run that must be there, or raise a RunError."""
    with storage_errors(Path(folder)):
        there = Path(folder).is_dir()
    if not there:
        raise RunError(f"there is no run in {folder}; nothing was done: name the directory given to --run")
    return Run(folder)
