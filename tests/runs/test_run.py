"""A run goes on where it stopped, refuses what does not fit it, and finds what was changed."""

import json
import logging
import math
import signal
import socket
import time
from pathlib import Path

import pytest

from db3kd.errors import ArtifactError, RunError, RunMismatch, StorageError
from db3kd.runs import Run
from processes import finish, start

_PLAN: dict[str, object] = {
    "seed": 1,
    "label": {"method": "bd", "classes": (1, 2), "pool": None, "rate": 0.5, "untargeted": False},
    "budget": {"run": 100},
}


def test_looking_at_a_run_makes_nothing(tmp_path: Path) -> None:
    with Run(tmp_path / "run") as run:
        assert run.plan() is None
        assert run.get("transfer.safetensors") is None
        assert run.lines() == ()
        assert run.shards.finished() == run.shards.begun() == ()
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


class TestPlan:
    def test_the_same_plan_is_taken_again_and_the_file_is_not_touched(self, tmp_path: Path) -> None:
        with Run(tmp_path) as run:
            run.adopt(_PLAN)
            written = (tmp_path / "plan.toml").stat().st_ino
        with Run(tmp_path) as run:
            plan = run.adopt(_PLAN)
            assert plan == run.plan()
            assert plan["label"] == {"method": "bd", "classes": [1, 2], "rate": 0.5, "untargeted": False}
        assert (tmp_path / "plan.toml").stat().st_ino == written

    def test_another_plan_is_refused_naming_every_key_that_differs(self, tmp_path: Path) -> None:
        with Run(tmp_path) as run:
            run.adopt(_PLAN)
            kept = (tmp_path / "plan.toml").read_bytes()
            other = {
                "seed": 2,
                "label": {"method": "mbd", "classes": [1, 2], "pool": 21, "untargeted": 0},
                "new": {"a": 1},
            }
            with pytest.raises(RunMismatch) as caught:
                run.adopt(other)
            message = str(caught.value)
            for part in (
                "seed is 1 in the run and 2 in",
                'label.method is "bd" in the run and "mbd" in',
                "label.pool is not set in the run and 21 in",
                "label.rate is 0.5 in the run and not set in",
                "label.untargeted is false in the run and 0 in",
                "use another run directory",
            ):
                assert part in message
            assert "classes" not in message
            assert (tmp_path / "plan.toml").read_bytes() == kept

    def test_a_new_section_is_added_and_an_absent_one_stays(self, tmp_path: Path) -> None:
        with Run(tmp_path) as run:
            run.adopt(_PLAN)
            run.adopt({"distill": {"epochs": 30}})
            plan = run.adopt(_PLAN)
            assert set(plan) == {"seed", "label", "budget", "distill"}
            with pytest.raises(RunMismatch, match=r"distill\.epochs"):
                run.adopt({"distill": {"epochs": 31}})

    def test_a_budget_may_be_raised(self, tmp_path: Path) -> None:
        with Run(tmp_path) as run:
            run.adopt(_PLAN)
            run.adopt({**_PLAN, "budget": {"run": 500, "label": 7}})
            run.adopt({"distill": {}})
            assert (run.plan() or {})["budget"] == {"run": 500, "label": 7}

    def test_text_that_needs_quoting_comes_back(self, tmp_path: Path) -> None:
        plan = {"teacher": {"uri": 'python:C:\\a "b"\n\x7f é', "prices": [0.1, 1e-9], "0 odd.key": True}}
        with Run(tmp_path) as run:
            assert run.adopt(plan) == run.plan() == plan

    @pytest.mark.parametrize("content", [b"", b"seed = 1\n", b"\xff", b"# What made this run"])
    def test_a_plan_of_another_hand_is_refused_and_kept(self, tmp_path: Path, content: bytes) -> None:
        (tmp_path / "plan.toml").write_bytes(content)
        with Run(tmp_path) as run, pytest.raises(ArtifactError, match=r"plan\.toml"):
            run.adopt(_PLAN)
        assert (tmp_path / "plan.toml").read_bytes() == content

    def test_a_plan_that_was_edited_into_no_toml_is_refused(self, tmp_path: Path) -> None:
        with Run(tmp_path) as run:
            run.adopt(_PLAN)
            with (tmp_path / "plan.toml").open("a") as file:
                file.write("[label\n")
            with pytest.raises(ArtifactError, match=r"plan\.toml"):
                run.adopt(_PLAN)


def test_another_teacher_is_refused(tmp_path: Path) -> None:
    with Run(tmp_path) as run:
        run.adopt_teacher("abc")
        run.adopt_teacher("abc")
        with pytest.raises(RunMismatch, match=r"'abc'.*'def'"):
            run.adopt_teacher("def")
        (tmp_path / "teacher.json").write_text('{"format": 2, "fingerprint": "abc"}')
        with pytest.raises(ArtifactError, match=r"teacher\.json"):
            run.adopt_teacher("abc")


class TestArtifacts:
    def test_a_file_is_stored_as_it_is_and_comes_back(self, tmp_path: Path) -> None:
        with Run(tmp_path) as run:
            for data in (b"one", b"two", b"two"):
                run.put("student.safetensors", data)
                assert run.get("student.safetensors") == data
                assert (tmp_path / "student.safetensors").read_bytes() == data
            assert run.has("student.safetensors")
            run.remove("student.safetensors")
            assert not run.has("student.safetensors")
            assert run.get("student.safetensors") is None

    @pytest.mark.parametrize("content", [b"", b"dat", b"dataa", b"Data"])
    def test_a_changed_file_is_named_and_can_be_made_again(self, tmp_path: Path, content: bytes) -> None:
        with Run(tmp_path) as run:
            run.put("transfer.safetensors", b"data")
            (tmp_path / "transfer.safetensors").write_bytes(content)
            with pytest.raises(ArtifactError, match=r"transfer\.safetensors was changed.*delete it and run again"):
                run.get("transfer.safetensors")
            (tmp_path / "transfer.safetensors").unlink()
            assert run.get("transfer.safetensors") is None
            run.put("transfer.safetensors", b"data")
            assert run.get("transfer.safetensors") == b"data"

    def test_a_file_that_nobody_vouches_for_is_made_again(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        (tmp_path / "student.safetensors").write_bytes(b"from elsewhere")
        with Run(tmp_path) as run, caplog.at_level(logging.WARNING):
            assert run.get("student.safetensors") is None
            assert not run.has("student.safetensors")
            assert "no digest" in caplog.text

    def test_a_kill_between_digest_and_file_leaves_the_file_before(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with Run(tmp_path) as run:
            run.put("state.safetensors", b"epoch 1")

            def die(path: Path, data: bytes) -> None:
                raise KeyboardInterrupt

            for epoch in (b"epoch 2", b"epoch 3"):
                with monkeypatch.context() as patch:
                    patch.setattr("db3kd.runs.artifacts.write_atomically", die)
                    with pytest.raises(KeyboardInterrupt):
                        run.put("state.safetensors", epoch)
                assert run.get("state.safetensors") == b"epoch 1"
            run.put("state.safetensors", b"epoch 4")
            assert run.get("state.safetensors") == b"epoch 4"

    @pytest.mark.parametrize(
        "content", ["", "[]", "{}", '{"format": 1, "sha256": {"a": 1}}', '{"format": 2, "sha256": {}}']
    )
    def test_changed_digests_are_named(self, tmp_path: Path, content: str) -> None:
        with Run(tmp_path) as run:
            run.put("student.safetensors", b"data")
            (tmp_path / "digests.json").write_text(content)
            with pytest.raises(ArtifactError, match=r"digests\.json"):
                run.get("student.safetensors")

    @pytest.mark.parametrize("name", ["ledger.sqlite", "plan.toml", "a/b", "../a", ".hidden", ""])
    def test_the_names_of_the_run_itself_are_taken(self, tmp_path: Path, name: str) -> None:
        with Run(tmp_path) as run, pytest.raises(ValueError, match="plain name"):
            run.put(name, b"data")


class TestShards:
    def test_shards_are_kept_and_their_journals_go(self, tmp_path: Path) -> None:
        with Run(tmp_path) as run:
            for index in (11, 2):
                with run.shards.journal(index, b"identity"):
                    assert index in run.shards.begun()
            run.shards.put(11, b"eleven")
            assert run.shards.finished() == (11,)
            assert run.shards.begun() == (2,)
            run.shards.put(2, b"two")
            run.shards.put(100_000, b"many")
            assert run.shards.finished() == (2, 11, 100_000)
            assert run.shards.get(11) == b"eleven"
            assert run.shards.get(3) is None
        assert not list((tmp_path / "shards").glob("*.journal"))

    def test_a_changed_shard_is_named_and_the_others_stay(self, tmp_path: Path) -> None:
        with Run(tmp_path) as run:
            run.shards.put(0, b"zero")
            run.shards.put(1, b"one")
            run.shards.path(1).write_bytes(run.shards.path(0).read_bytes())
            with pytest.raises(ArtifactError, match=r"00001\.shard was changed.*delete it and run again"):
                run.shards.get(1)
            assert run.shards.get(0) == b"zero"

    def test_what_a_kill_left_over_is_removed_with_the_next_write(self, tmp_path: Path) -> None:
        with Run(tmp_path) as run:
            run.shards.put(0, b"zero")
        for left in (f"shards/.00001.shard.{'a' * 32}.tmp", f".plan.toml.{'b' * 32}.tmp", "shards/00000.journal"):
            (tmp_path / left).touch()
        with Run(tmp_path) as run:
            run.hold()
        assert [file.name for file in (tmp_path / "shards").iterdir()] == ["00000.shard"]
        assert not list(tmp_path.glob(".*"))


class TestLines:
    def test_lines_are_added_and_cut_back(self, tmp_path: Path) -> None:
        with Run(tmp_path) as run:
            for epoch in range(4):
                run.append_line({"epoch": epoch, "loss": 0.5 * epoch})
            run.rewrite_lines(run.lines()[:2])
            run.append_line({"epoch": 2, "loss": math.nan})
            assert run.lines() == ({"epoch": 0, "loss": 0.0}, {"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": None})
        for line in (tmp_path / "training.jsonl").read_text().splitlines():
            json.loads(line)

    def test_a_torn_line_is_left_out(self, tmp_path: Path) -> None:
        with Run(tmp_path) as run:
            run.append_line({"epoch": 0})
            with (tmp_path / "training.jsonl").open("a") as file:
                file.write('{"epoch"')
            assert run.lines() == ({"epoch": 0},)
            run.append_line({"epoch": 1})
            assert run.lines() == ({"epoch": 0}, {"epoch": 1})

    @pytest.mark.parametrize("content", ["", '{"epoch": 0}\n', '{"format": 1}\nepoch\n', '{"format": 1}\n5\n'])
    def test_changed_lines_are_named(self, tmp_path: Path, content: str) -> None:
        (tmp_path / "training.jsonl").write_text(content)
        with pytest.raises(ArtifactError, match=r"training\.jsonl"):
            Run(tmp_path).lines()


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


def test_torch_is_not_imported() -> None:
    printed = finish(start("import sys, db3kd.runs, db3kd.ledger; print('torch' in sys.modules)"))
    assert printed == "False\n"


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
