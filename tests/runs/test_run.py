"""A run goes on where it stopped, refuses what does not fit it, and finds what was changed."""

import json
import signal
import socket
import time
from pathlib import Path

import pytest

from db3kd.errors import ArtifactError, RunError, RunMismatch, StorageError
from db3kd.runs import Run, existing
from db3kd.teachers import TeacherSpec
from processes import start


def test_looking_at_a_run_makes_nothing(tmp_path: Path) -> None:
    with Run(tmp_path / "run") as run:
        assert run.plan() is None
        assert run.get("report.json") is None
        assert run.lines() == ()
        assert run.statement().total == 0
    assert not (tmp_path / "run").exists()


def test_a_file_in_the_place_of_a_run_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run").touch()
    with pytest.raises(RunError, match="is a file"):
        Run(tmp_path / "run")


def test_a_folder_that_cannot_be_made_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="run"):
        Run(tmp_path / "file" / "run").hold()


def _spec(fingerprint: str) -> TeacherSpec:
    return TeacherSpec((1, 4, 4), 3, fingerprint=fingerprint)


def test_another_teacher_is_refused(tmp_path: Path) -> None:
    with Run(tmp_path) as run:
        assert not run.check_teacher(_spec("abc"))
        run.adopt_teacher(_spec("abc"))
        run.adopt_teacher(_spec("abc"))
        assert run.check_teacher(_spec("abc"))
        with pytest.raises(RunMismatch, match=r"'abc'.*'def'"):
            run.adopt_teacher(_spec("def"))
        (tmp_path / "teacher.json").write_text('{"format": 2, "fingerprint": "abc"}')
        with pytest.raises(ArtifactError, match=r"teacher\.json"):
            run.adopt_teacher(_spec("abc"))


def test_a_file_for_people_is_replaced(tmp_path: Path) -> None:
    with Run(tmp_path) as run:
        for data in (b"one", b"two"):
            run.put("report.json", data)
            assert run.get("report.json") == data
    assert sorted(file.name for file in tmp_path.iterdir()) == ["environment.json", "report.json", "run.lock"]


def test_a_run_that_must_be_there_is_named(tmp_path: Path) -> None:
    assert existing(tmp_path).folder == tmp_path
    with pytest.raises(RunError, match="there is no run in"):
        existing(tmp_path / "absent")


def test_what_a_kill_left_over_is_removed_with_the_next_write(tmp_path: Path) -> None:
    (tmp_path / "answers").mkdir()
    for left in (f"answers/.00001.safetensors.{'a' * 32}.tmp", f".plan.toml.{'b' * 32}.tmp"):
        (tmp_path / left).touch()
    with Run(tmp_path) as run:
        run.hold()
    assert not list(tmp_path.rglob(".*"))


def test_the_environment_is_noted_once_for_each_that_differs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def noted() -> list[dict[str, object]]:
        with Run(tmp_path) as run:
            run.hold()
        environments = json.loads((tmp_path / "environment.json").read_text())["environments"]
        assert isinstance(environments, list)
        return environments

    noted()
    assert len(noted()) == 1
    assert {"python", "platform", "cores", "db3kd", "commit", "packages"} < set(noted()[0])
    monkeypatch.setattr("platform.platform", lambda: "another machine")
    assert [entry["platform"] for entry in noted()][1:] == ["another machine"]


_HOLD = """
import sys
from db3kd.runs import Run
with Run(sys.argv[1]) as run:
    run.adopt({"seed": 1})
    with run.ledger().account("label") as account:
        account.charge(5)
    print("held")
    sys.stdout.flush()
    import time
    time.sleep(60)
"""


def test_one_process_writes_and_others_may_look(tmp_path: Path) -> None:
    holder = start(_HOLD, tmp_path)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with Run(tmp_path) as run:
        assert run.plan() == {"seed": 1}
        assert run.statement().total == 5
        with pytest.raises(RunError, match=f"process {holder.pid} on"):
            run.adopt({"seed": 1})
        holder.send_signal(signal.SIGKILL)
        holder.communicate(timeout=60)
        run.adopt({"seed": 1})
        with pytest.raises(RunError, match="is being written"):
            Run(tmp_path).hold()
    with Run(tmp_path) as run:
        run.hold()


def test_who_looks_learns_since_when_it_is_written(tmp_path: Path) -> None:
    looking = Run(tmp_path)
    assert looking.written_since() is None
    with Run(tmp_path) as run:
        run.hold()
        since = looking.written_since()
        assert since is not None
        assert abs(time.time() - since) < 60
    assert looking.written_since() is None
    # A killed process leaves its number behind.
    (tmp_path / "run.lock").write_text(f"process {2**22 + 5} on {socket.gethostname()}\n")
    assert looking.written_since() is None
