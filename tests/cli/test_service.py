"""`db3kd serve`: what it is asked to serve is opened and told before it listens; here it never does."""

import socket
from pathlib import Path
from typing import Any

import pytest

from command_line import TEACHER, Caller

ASKED = ("serve", *TEACHER, "--port", "0")


@pytest.fixture
def listened(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The applications that would have listened."""
    applications: list[Any] = []

    def listen(application: Any, line: socket.socket) -> None:
        applications.append(application)
        line.close()

    monkeypatch.setattr("db3kd.serving.binding.listen", listen)
    return applications


def test_it_says_where_it_serves(call: Caller, listened: list[Any], log: Path) -> None:
    done = call(*ASKED, "--name", "my.model")
    assert "serving python:logged_teacher:decide at http://127.0.0.1:" in done.err
    assert "/v2/models/my.model" in done.err
    assert "anybody" not in done.err
    assert len(listened) == 1
    assert not log.exists(), "nobody asked"


def test_whoever_lets_anybody_ask_is_told(call: Caller, listened: list[Any], log: Path) -> None:
    assert "anybody who reaches 0.0.0.0 may ask: name clients" in call(*ASKED, "--host", "0.0.0.0").err


def test_budgets_and_answers_outlive_a_restart_where_they_have_a_place(
    call: Caller, listened: list[Any], log: Path, tmp_path: Path
) -> None:
    kept = ("--ledger", tmp_path / "ledger", "--remember", tmp_path / "answers", "--budget", 5)
    call(*ASKED, *kept)
    assert (tmp_path / "ledger").exists()
    assert (tmp_path / "answers").is_dir()
    # Both were closed, so that the next one may have them.
    call(*ASKED, *kept)
    assert len(listened) == 2


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (("--name", "a/b"), "the model's name is part of a URL"),
        (("--clients", "clients.toml", "--budget", "5"), "--clients says them for each"),
        (("--clients", "clients.toml", "--rate-limit", "5"), "--clients says them for each"),
        (("--clients", "nowhere.toml"), "nowhere.toml"),
        (("--set", "teacher.num_classes=1"), "num_classes"),
        (("--rate-limit", "0"), "rows_per_second must be a number above 0"),
        (("--rate-limit", "nan"), "rows_per_second must be"),
        (("--rate-limit", "inf"), "rows_per_second must be"),
    ],
    ids=["a slash", "two budgets", "two rates", "no such file", "one class", "no row a second", "no number", "no end"],
)
def test_what_cannot_be_served_is_told_before_it_listens(
    call: Caller, listened: list[Any], log: Path, more: tuple[str, ...], told: str
) -> None:
    done = call(*ASKED, *more, expect=2)
    assert told in " ".join(done.err.replace("│", " ").split())
    assert not listened


def test_without_the_extra_it_says_so(call: Caller, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "db3kd.serving", None)
    assert "pip install 'db3kd[serve]'" in call(*ASKED, expect=2).err
