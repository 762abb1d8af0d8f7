"""What a run was made with: the commit of the source that runs, and the versions of what computes."""

import subprocess
from importlib import metadata
from pathlib import Path

import pytest

from db3kd.runs import environment
from db3kd.runs.environment import describe_environment


def _git(folder: Path, *arguments: str) -> str:
    # Of no user's settings.
    named = ("-c", "user.name=x", "-c", "user.email=x@y", "-c", "commit.gpgsign=false", "-C", str(folder))
    return subprocess.run(["git", *named, *arguments], check=True, capture_output=True, text=True).stdout.strip()


def test_the_commit_is_that_of_the_source_and_says_where_files_differ_from_it(tmp_path: Path) -> None:
    # Each time by another name, since what a name stands for is looked up once.
    sources = [tmp_path / f"{number}.py" for number in range(3)]
    assert environment._commit(sources[0]) is None, "no repository"
    _git(tmp_path, "init", "-q")
    for source in sources:
        source.write_text("x = 1\n")
    _git(tmp_path, "add", ".")
    _git(tmp_path, "commit", "-q", "-m", "first")
    commit = _git(tmp_path, "rev-parse", "HEAD")
    assert environment._commit(sources[1]) == commit
    sources[0].write_text("x = 2\n")
    assert environment._commit(sources[2]) == f"{commit}-dirty"
    (tmp_path / "installed.py").write_text("x = 1\n")
    assert environment._commit(tmp_path / "installed.py") is None, "in somebody else's repository"


def test_a_machine_without_git_names_no_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert environment._commit(tmp_path / "some.py") is None


def test_versions_are_those_that_are_installed_and_none_is_told_of_what_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "_PACKAGES", ("torch", "no-such-package"))
    described = describe_environment()
    assert described["packages"] == {"torch": metadata.version("torch"), "no-such-package": None}
    assert described["db3kd"] == metadata.version("db3kd")
