"""The program itself: help without torch, its version, and each command by its name."""

import subprocess
import sys
from pathlib import Path

import pytest

import db3kd
from command_line import Caller
from db3kd.cli import main
from db3kd.cli.app import COMMANDS


def test_help_is_there_without_torch() -> None:
    code = "import sys\ntry:\n main(['--help'])\nexcept SystemExit:\n print('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", f"from db3kd.cli import main\n{code}"], check=True, capture_output=True, text=True
    )
    assert done.stdout.strip().endswith("False")
    assert "check-teacher" in done.stdout


def test_the_help_of_an_option_is_that_of_its_key(call: Caller) -> None:
    shown = " ".join(call("distill", "--help").out.replace("│", " ").split())
    assert "Most queries of all stages" in shown
    assert "without paying twice" in shown


def test_python_m_is_the_program(call: Caller) -> None:
    assert call("--version").out.strip() == db3kd.__version__
    done = subprocess.run([sys.executable, "-m", "db3kd", "--version"], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == db3kd.__version__


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_is_there_with_help(call: Caller, name: str) -> None:
    shown = " ".join(call(name, "--help").out.replace("│", " ").split())
    assert f"Usage: db3kd {name}" in shown
    assert shown.partition("[OPTIONS]")[2].strip()


def test_a_module_beside_the_plan_is_found(call: Caller, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.chdir(tmp_path)
    call("--version")
    call("--version")
    assert sys.path.count(str(tmp_path)) == 1
    assert sys.path[-1] == str(tmp_path)


@pytest.mark.parametrize("asked", ["option", "environment"])
def test_a_traceback_is_shown_to_who_asks_for_it(
    asked: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("logging.basicConfig", lambda **_: None)
    if asked == "environment":
        monkeypatch.setenv("DB3KD_DEBUG", "1")
    with pytest.raises(SystemExit) as ended:
        main([*(["--debug"] if asked == "option" else []), "status", str(tmp_path / "no")])
    assert ended.value.code == 2
    assert "Traceback" in capsys.readouterr().err
