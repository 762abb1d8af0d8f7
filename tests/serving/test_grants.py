"""The file that says who may ask holds no secret, and what is wrong with it is named."""

import hashlib
import math
from pathlib import Path

import pytest

from db3kd.errors import PlanError
from db3kd.serving import Grant, read_grants

DIGEST = hashlib.sha256(b"b-token").hexdigest()


def test_tokens_come_from_the_environment_or_as_digests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANNS_TOKEN", "a-token")
    file = tmp_path / "clients.toml"
    file.write_text(
        '[ann]\ntoken_env = "ANNS_TOKEN"\nbudget = 100\nrows_per_second = 2.5\n'
        f'[bob]\ntoken_sha256 = "{DIGEST.upper()}"'
    )
    assert read_grants(file) == {
        "ann": Grant(hashlib.sha256(b"a-token").hexdigest(), 100, 2.5),
        "bob": Grant(DIGEST, None, None),
    }


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("", "names no client"),
        ("[ann]", "token_env or token_sha256"),
        (f'[ann]\ntoken_env = "A"\ntoken_sha256 = "{DIGEST}"', "token_env or token_sha256"),
        ('[ann]\ntoken_sha256 = "abc"', "token_sha256"),
        (f'[ann]\ntoken_sha256 = "{DIGEST}"\nbudget = -1', "budget"),
        (f'[ann]\ntoken_sha256 = "{DIGEST}"\nspeed = 1', "speed"),
        (f'[ann]\ntoken_sha256 = "{DIGEST}"\nrows_per_second = inf', "rows_per_second"),
        (f'[ann]\ntoken_sha256 = "{DIGEST}"\n[bob]\ntoken_sha256 = "{DIGEST}"', "one token"),
        ('[ann]\ntoken_env = "NO_SUCH_TOKEN"', "NO_SUCH_TOKEN, which is not set"),
        ("[ann", "correct it"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, content: str, named: str) -> None:
    file = tmp_path / "clients.toml"
    file.write_text(content)
    with pytest.raises(PlanError, match=named):
        read_grants(file)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match=r"nowhere\.toml cannot be read"):
        read_grants(tmp_path / "nowhere.toml")


@pytest.mark.parametrize("rate", [0.0, -1.0, math.nan, math.inf])
def test_a_rate_that_is_none_is_refused(rate: float) -> None:
    with pytest.raises(PlanError, match="rows_per_second must be"):
        Grant(None, None, rate)


def test_a_budget_below_nothing_is_refused() -> None:
    with pytest.raises(PlanError, match="budget must be"):
        Grant(None, -1)
