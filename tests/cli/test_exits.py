"""How commands end: bad input, an exhausted budget, a teacher that fails, an interruption; what was bought stays."""

import signal
import time
from pathlib import Path

import pytest

from command_line import Caller, finish, start
from db3kd.models import build, weights
from db3kd.runs import Run
from logged_teacher import rows_seen, write_images


def total(run: Path) -> int:
    with Run(run) as opened:
        return opened.statement().total


def test_a_budget_that_is_raised_goes_on_without_paying_twice(
    call: Caller, bd: tuple[str, ...], log: Path, tmp_path: Path
) -> None:
    whole, run = tmp_path / "whole", tmp_path / "run"
    call(*bd, "--run", whole)
    log.unlink()
    for budget in (20, 300, 900):
        done = call(*bd, "--run", run, "--budget", budget, expect=3)
        assert f"of {budget:,} are spent" in done.err
        assert total(run) == rows_seen(log) <= budget
    # Without a budget of its own a command keeps to the one that was given before.
    call(*bd, "--run", run, expect=3)
    call(*bd, "--run", run, "--budget", 1_000_000)
    assert total(run) == rows_seen(log) == total(whole)
    assert (run / "transfer.safetensors").read_bytes() == (whole / "transfer.safetensors").read_bytes()


def test_a_stage_has_a_budget_of_its_own(call: Caller, bd: tuple[str, ...], log: Path, tmp_path: Path) -> None:
    done = call(*bd, "--run", tmp_path / "run", "--label-budget", 400, expect=3)
    assert "stage 'label'" in done.err
    left = call("status", tmp_path / "run", "--json").figures["left"]
    assert left == {"label": 400 - (total(tmp_path / "run") - 24)}


def test_a_teacher_that_fails_for_good(
    call: Caller, bd: tuple[str, ...], log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGGED_FAILS_AFTER", "500")
    done = call(*bd, "--run", tmp_path / "run", expect=4)
    assert "the service is gone" in done.err
    assert total(tmp_path / "run") == rows_seen(log)
    monkeypatch.delenv("LOGGED_FAILS_AFTER")
    call(*bd, "--run", tmp_path / "run")
    assert total(tmp_path / "run") == rows_seen(log)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_ends_tidily(
    call: Caller, plan: Path, log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    monkeypatch.setenv("LOGGED_SECONDS", "0.02")
    process = start("run", plan, "--run", tmp_path / "run")
    while rows_seen(log) < 1000:
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(number)
    assert "run again to go on" in finish(process, expect=130).err
    with Run(tmp_path / "run") as run:
        assert run.statement().unsettled == 0
    # One call at most was charged and not sent any more.
    assert 0 <= total(tmp_path / "run") - rows_seen(log) <= 64


class TestBadInput:
    def test_all_faults_of_the_options_are_named(self, call: Caller, bd: tuple[str, ...], tmp_path: Path) -> None:
        done = call(*bd, "--run", tmp_path / "run", "--tolerance", 2, "--snapshots", "10,x", expect=2)
        assert "label.tolerance" in done.err
        assert "label.snapshots.1" in done.err
        assert not (tmp_path / "run").exists()

    def test_unknown_options_and_missing_ones(self, call: Caller) -> None:
        assert "--run" in call("distill", expect=2).err
        call("label", "--colour", "red", expect=2)
        call("evaluate", expect=2)
        call("paint", expect=2)

    def test_a_plan_that_is_none(self, call: Caller, tmp_path: Path) -> None:
        call("run", tmp_path / "plan.toml", "--run", tmp_path / "run", expect=2)
        (tmp_path / "plan.toml").write_text("[teacher]\nurl = 3\n")
        done = call("run", tmp_path / "plan.toml", "--run", tmp_path / "run", expect=2)
        for part in ("teacher.uri", "teacher.url", "plan.toml"):
            assert part in done.err
        (tmp_path / "plan.toml").write_text('[teacher]\nuri = "torch:lenet5@none"\n[distill]\nstudent = "lenet5"\n')
        told = call("run", tmp_path / "plan.toml", "--run", tmp_path / "run", expect=2).err
        assert "[images]" in told
        assert "[synthesize]" in told

    @pytest.mark.parametrize(
        ("key", "value", "said"),
        [
            ("lenet5-fifth", "lenet6", "lenet6"),
            ("epochs = 15", 'epochs = 15\nclasses = "true"\nqueries_per_pair = 7', "snapshots"),
            ("num_classes = 4", "num_classes = 3", "3 classes"),
            ("[1, 16, 16]", "[1, 8, 8]", "shape"),
            ("logged_teacher:decide", "logged_teacher:decline", "decline"),
        ],
    )
    def test_what_cannot_be_is_told_before_a_query_and_does_not_bind_the_run(
        self, call: Caller, plan: Path, log: Path, tmp_path: Path, *, key: str, value: str, said: str
    ) -> None:
        plan.write_text(plan.read_text().replace(key, value))
        assert said in call("run", plan, "--run", tmp_path / "run", expect=2).err
        assert rows_seen(log) == 0
        assert not (tmp_path / "run").exists()

    def test_a_folder_that_is_no_run(self, call: Caller, tmp_path: Path) -> None:
        for arguments in (("status", tmp_path), ("status", tmp_path / "no"), ("report", tmp_path)):
            assert str(tmp_path) in call(*arguments, expect=2).err
        call("evaluate", "--run", tmp_path, "--held-out", "npz:x", expect=2)
        assert "label" in call("distill", "--run", tmp_path / "new", expect=2).err

    def test_debug_shows_the_traceback(self, tmp_path: Path) -> None:
        process = start("status", tmp_path / "no", environment={"DB3KD_DEBUG": "1"})
        assert "Traceback" in process.communicate(timeout=60)[1]
        assert process.returncode == 2


class TestWhatDoesNotFitTheRun:
    def test_another_plan(self, call: Caller, bd: tuple[str, ...], log: Path, tmp_path: Path) -> None:
        call(*bd, "--run", tmp_path / "run")
        before = rows_seen(log)
        assert "label.order" in call(*bd, "--run", tmp_path / "run", "--order", "random", expect=2).err
        assert rows_seen(log) == before == total(tmp_path / "run")

    def test_another_teacher_under_the_same_name(self, call: Caller, images: str, tmp_path: Path) -> None:
        file = tmp_path / "teacher.safetensors"
        asked = ("label", "--teacher", f"torch:{file}", "--images", images, "--method", "sd", "--run", tmp_path / "run")
        for seed, code in ((0, 0), (1, 2)):
            module = build("lenet5-fifth", (1, 16, 16), 4, seed=seed)
            file.write_bytes(weights.to_bytes(module, weights.describe("lenet5-fifth", (1, 16, 16), 4)))
            done = call(*asked, expect=code)
        assert "made by the teacher" in done.err
        assert total(tmp_path / "run") == 24 + 16

    def test_other_images_under_the_same_name(
        self, call: Caller, bd: tuple[str, ...], log: Path, tmp_path: Path
    ) -> None:
        call(*bd, "--run", tmp_path / "run")
        seen = rows_seen(log)
        write_images(tmp_path / "tiny.npz", train=28)
        assert "transfer.safetensors" in call(*bd, "--run", tmp_path / "run", expect=2).err
        assert rows_seen(log) == seen


class TestDamage:
    def test_a_file_in_the_place_of_a_folder(
        self, call: Caller, bd: tuple[str, ...], log: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "file").touch()
        for place in ("file", "file/run"):
            assert "file" in call(*bd, "--run", tmp_path / place, expect=2).err
        assert rows_seen(log) == 0

    @pytest.mark.parametrize("damage", ["truncated", "edited"])
    def test_a_shard_is_named_and_can_be_put_back(
        self, call: Caller, bd: tuple[str, ...], log: Path, tmp_path: Path, damage: str
    ) -> None:
        write_images(tmp_path / "tiny.npz", train=520)  # one shard holds 512
        run = tmp_path / "run"
        call(*bd, "--run", tmp_path / "whole", "--exemplars", 1)
        log.unlink()
        call(*bd, "--run", run, "--budget", total(tmp_path / "whole") - 16 - 10, "--exemplars", 1, expect=3)
        shard = run / "shards/00000.shard"
        whole = shard.read_bytes()
        shard.write_bytes(whole[:-9] if damage == "truncated" else whole[:-1] + bytes([whole[-1] ^ 1]))
        again = (*bd, "--run", run, "--exemplars", 1, "--budget", 10**6)
        assert str(shard) in call(*again, expect=2).err
        shard.write_bytes(whole)
        call(*again)
        assert total(run) == rows_seen(log)

    def test_an_edited_transfer_set_is_made_again_from_what_was_bought(
        self, call: Caller, bd: tuple[str, ...], log: Path, tmp_path: Path
    ) -> None:
        call(*bd, "--run", tmp_path / "run")
        file, seen = tmp_path / "run/transfer.safetensors", rows_seen(log)
        whole = file.read_bytes()
        file.write_bytes(whole[:-1] + b"?")
        assert str(file) in call(*bd, "--run", tmp_path / "run", expect=2).err
        file.unlink()
        call(*bd, "--run", tmp_path / "run")
        assert file.read_bytes() == whole
        assert rows_seen(log) == seen

    def test_a_disk_that_is_full(self, call: Caller, bd: tuple[str, ...], log: Path, tmp_path: Path) -> None:
        limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))"
        asked = (*bd, "--run", tmp_path / "run", "--method", "mbd", "--queries-per-pair", 1000, "--directions", 10)
        done = finish(start(*asked, before=limit), expect=2)
        assert str(tmp_path / "run") in done.err
        assert "run again" in done.err
        assert total(tmp_path / "run") >= rows_seen(log) > 0
        call(*asked)
        assert total(tmp_path / "run") == rows_seen(log)
