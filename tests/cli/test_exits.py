"""How commands end: bad input, a budget that does not reach, a teacher that fails, an interruption."""

import signal
from pathlib import Path

import pytest

from command_line import SMALL, TEACHER, Caller, finish, settings, start
from db3kd.models import build, weights
from db3kd.runs import Run
from logged_teacher import rows_seen, write_images
from made_runs import spent


def test_the_end_of_a_budget_is_no_error_and_a_larger_one_goes_on_without_paying_twice(
    call: Caller, bd: tuple[str, ...], log: Path, tmp_path: Path
) -> None:
    whole, run = tmp_path / "whole", tmp_path / "run"
    call(*bd, "--run", whole)
    log.unlink()
    for budget in (24, 300, 900):
        call(*bd, "--run", run, "--budget", budget)
        assert spent(run) == rows_seen(log) <= budget
    # Without a budget of its own a command keeps to the one that was given before.
    call("label", "--run", run)
    assert spent(run) == rows_seen(log) <= 900
    call("label", "--run", run, "--budget", 1_000_000)
    assert spent(run) == rows_seen(log) == spent(whole)
    for name in ("answers/00000.safetensors", "distances/00000.safetensors"):
        assert (run / name).read_bytes() == (whole / name).read_bytes()


def test_3_is_a_budget_that_does_not_reach_for_an_answer(
    call: Caller, bd: tuple[str, ...], log: Path, tmp_path: Path
) -> None:
    assert "raise the budget" in call(*bd, "--run", tmp_path / "run", "--budget", 0, expect=3).err
    assert rows_seen(log) == 0


def test_a_teacher_that_fails_for_good(
    call: Caller, bd: tuple[str, ...], log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGGED_FAILS_AFTER", "500")
    assert "the service is gone" in call(*bd, "--run", tmp_path / "run", expect=4).err
    assert spent(tmp_path / "run") == rows_seen(log)
    monkeypatch.delenv("LOGGED_FAILS_AFTER")
    call(*bd, "--run", tmp_path / "run")
    assert spent(tmp_path / "run") == rows_seen(log)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_ends_tidily(
    call: Caller,
    bd: tuple[str, ...],
    log: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: signal.Signals,
) -> None:
    monkeypatch.setenv("LOGGED_SIGNAL", f"{int(number)}@1000")
    assert "run again to go on" in call(*bd, "--run", tmp_path / "run", expect=130).err
    with Run(tmp_path / "run") as run:
        assert run.statement().unsettled == 0
    # One call at most was charged and its answer not noted.
    assert 0 <= spent(tmp_path / "run") - rows_seen(log) <= 64
    before = rows_seen(log)
    call(*bd, "--run", tmp_path / "run")
    assert rows_seen(log) > before


class TestBadInput:
    def test_all_faults_are_named_at_once(self, call: Caller, bd: tuple[str, ...], log: Path, tmp_path: Path) -> None:
        faults = settings(search__tolerance=2, search__snapshots="[10, -1]", rounds__colour=1, lesson__softening="soft")
        told = call(*bd, "--run", tmp_path / "run", *faults, expect=2).err
        for part in ("search.tolerance", "search.snapshots.1", "rounds.colour", "opening", "lesson.softening.name"):
            assert part in told
        assert not (tmp_path / "run").exists()

    def test_a_key_of_another_object_is_refused_with_what_is_allowed(
        self, call: Caller, bd: tuple[str, ...], tmp_path: Path
    ) -> None:
        told = call(*bd, "--run", tmp_path / "run", *settings(search__directions=5), expect=2).err
        assert "search.directions is unknown" in told
        assert "exemplars, order, tolerance" in told

    def test_unknown_options_and_missing_ones(self, call: Caller, tmp_path: Path) -> None:
        assert "--run" in call("distill", expect=2).err
        call("label", "--colour", "red", expect=2)
        call("paint", expect=2)
        assert "no teacher" in call("distill", "--run", tmp_path / "new", expect=2).err
        assert "section.key=value" in call("distill", "--run", tmp_path / "new", "--set", "x", expect=2).err

    def test_a_plan_that_is_none(self, call: Caller, tmp_path: Path) -> None:
        asked = ("distill", "--plan", tmp_path / "plan.toml", "--run", tmp_path / "run")
        assert "plan.toml" in call(*asked, expect=2).err
        (tmp_path / "plan.toml").write_text("[teacher]\nurl = 3\n")
        done = call(*asked, expect=2)
        assert "teacher.uri is missing" in done.err
        assert "teacher.url is unknown" in done.err
        (tmp_path / "plan.toml").write_text("[teacher")
        assert "no TOML" in call(*asked, expect=2).err

    @pytest.mark.parametrize(
        ("changes", "said"),
        [
            ({"student__architecture": "lenet6"}, "lenet6"),
            ({"student__optimizer": "adam", "student__momentum": 0.5}, "momentum belongs to sgd"),
            ({"lesson__queries_per_pair": 7, "lesson__softening": "inverse"}, "snapshots"),
            ({"lesson__softening": "opinions", "pool": "priors"}, "surrogates"),
            ({"baselines": 3}, "baselines is unknown"),
            ({"teacher__num_classes": 3}, "3 classes"),
            ({"teacher__input_shape": "[1, 8, 8]"}, "shape"),
            ({"teacher__uri": "python:logged_teacher:decline"}, "decline"),
        ],
    )
    def test_what_cannot_be_is_told_before_a_query_and_does_not_bind_the_run(
        self, call: Caller, plan: Path, log: Path, tmp_path: Path, *, changes: dict[str, object], said: str
    ) -> None:
        done = call("distill", "--plan", plan, "--run", tmp_path / "run", *settings(**changes), expect=2)
        assert said in done.err
        assert rows_seen(log) == 0
        assert not (tmp_path / "run").exists()

    def test_a_folder_that_is_no_run(self, call: Caller, tmp_path: Path) -> None:
        for arguments in (("status", tmp_path), ("status", tmp_path / "no"), ("report", tmp_path)):
            assert str(tmp_path) in call(*arguments, expect=2).err
        assert "no plan" in call("evaluate", tmp_path, "--held-out", "npz:x", expect=2).err

    def test_debug_shows_the_traceback(self, call: Caller, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("DB3KD_DEBUG", "1")
        with pytest.raises(AssertionError):
            call("status", tmp_path / "no", expect=2)


class TestWhatDoesNotFitTheRun:
    def test_another_plan(self, call: Caller, bd: tuple[str, ...], log: Path, tmp_path: Path) -> None:
        call(*bd, "--run", tmp_path / "run")
        before, kept = rows_seen(log), (tmp_path / "run/plan.toml").read_bytes()
        for changes in ({"search__order": "random"}, {"search__exemplars": 2}, {"run__seed": 1}, {"acquisition": "x"}):
            call(*bd, "--run", tmp_path / "run", *settings(**changes), expect=2)
        assert rows_seen(log) == before == spent(tmp_path / "run")
        assert (tmp_path / "run/plan.toml").read_bytes() == kept

    def test_what_is_kept_was_made_otherwise(self, call: Caller, images: str, log: Path, tmp_path: Path) -> None:
        call("distill", *TEACHER, "--images", images, *SMALL, "--run", tmp_path / "run")
        kept = (tmp_path / "run/plan.toml").read_bytes()
        refused = call("distill", "--run", tmp_path / "run", *settings(lesson__hard_weight=0), expect=2)
        assert 'lesson.type is "CommitteeLesson" in the run' in refused.err
        assert (tmp_path / "run/plan.toml").read_bytes() == kept
        call("distill", "--run", tmp_path / "run")

    def test_another_teacher_under_the_same_name(self, call: Caller, images: str, tmp_path: Path) -> None:
        file = tmp_path / "teacher.safetensors"
        asked = ("label", "--teacher", f"torch:{file}", "--images", images, "--run", tmp_path / "run")
        for seed, code in ((0, 0), (1, 2)):
            module = build("lenet5-fifth", (1, 16, 16), 4, seed=seed)
            file.write_bytes(weights.to_bytes(module, weights.describe("lenet5-fifth", (1, 16, 16), 4)))
            done = call(*asked, expect=code)
        assert "made by the teacher" in done.err
        assert spent(tmp_path / "run") == 24

    def test_other_images_under_the_same_name(
        self, call: Caller, bd: tuple[str, ...], log: Path, tmp_path: Path
    ) -> None:
        call(*bd, "--run", tmp_path / "run")
        seen = rows_seen(log)
        write_images(tmp_path / "tiny.npz", train=28)
        assert "answers/00000.safetensors" in call(*bd, "--run", tmp_path / "run", expect=2).err
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
    def test_a_file_is_named_and_can_be_put_back(
        self, call: Caller, bd: tuple[str, ...], log: Path, tmp_path: Path, damage: str
    ) -> None:
        run, seen = tmp_path / "run", 0
        call(*bd, "--run", run)
        seen = rows_seen(log)
        file = run / "distances/00000.safetensors"
        whole = file.read_bytes()
        file.write_bytes(whole[:-9] if damage == "truncated" else whole[:-1] + bytes([whole[-1] ^ 1]))
        assert str(file) in call(*bd, "--run", run, expect=2).err
        file.write_bytes(whole)
        call("distill", "--run", run, *SMALL, *settings(budget__repeats=0))
        assert rows_seen(log) == seen

    @pytest.mark.slow
    def test_a_disk_that_is_full(self, call: Caller, images: str, log: Path, tmp_path: Path) -> None:
        limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))"
        write_images(tmp_path / "tiny.npz", train=200)  # 51,200 bytes
        alone = settings(committee__members=0)
        asked = ("label", *TEACHER, "--images", images, *alone, "--run", tmp_path / "run")
        done = finish(start(*asked, before=limit), expect=2)
        assert str(tmp_path / "run") in done.err
        assert "run again" in done.err
        assert spent(tmp_path / "run") == rows_seen(log) == 200
        call(*asked)
        assert spent(tmp_path / "run") == rows_seen(log) == 200
