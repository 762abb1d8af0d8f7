"""What each client may do, and the file that says so: a table for each client, in TOML.

A token is named by the environment variable that holds it, or by its SHA-256, so the file itself holds no secret.
"""

import hashlib
import math
import os
import tomllib
from pathlib import Path
from typing import Annotated

from annotated_types import Ge, Interval
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from db3kd.arguments import checked_options
from db3kd.errors import PlanError

_Rate = Annotated[float, Interval(gt=0, lt=math.inf)]
_Budget = Annotated[int, Ge(0)]


@checked_options
class Grant:
    """What a client may do.

    Args:
        token_sha256: digest of its bearer token, in hexadecimal; None for anybody who comes.
        budget: most rows in all, or None for no limit.
        rows_per_second: most rows a second, on average, more than 0, or None for no limit.

    Raises:
        PlanError: a value out of its range.
    """

    token_sha256: str | None = None
    budget: _Budget | None = None
    rows_per_second: _Rate | None = None


class _Table(BaseModel):
    """A client's table in the file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    token_env: str | None = None
    token_sha256: Annotated[str, Field(pattern="^[0-9a-fA-F]{64}$")] | None = None
    budget: _Budget | None = None
    rows_per_second: _Rate | None = None

    @model_validator(mode="after")
    def _has_one_token(self) -> "_Table":
        if (self.token_env is None) == (self.token_sha256 is None):
            raise ValueError("give token_env or token_sha256")
        return self

    def digest(self, whose: str) -> str:
        if self.token_env is None:
            return (self.token_sha256 or "").lower()
        token = os.environ.get(self.token_env, "").strip()
        if not token:
            raise PlanError(
                f"{whose} is to be in the environment variable {self.token_env}, which is not set; nothing was served: "
                "put it there"
            )
        return hashlib.sha256(token.encode()).hexdigest()


def read_grants(path: Path) -> dict[str, Grant]:
    """Read what each client may do, by its name; a PlanError says what is wrong with the file.

    A table [NAME] has `token_env` or `token_sha256`, and may have `budget` and `rows_per_second`.
    """
    try:
        content = tomllib.loads(path.read_text())
        tables = {name: _Table.model_validate(keys) for name, keys in content.items()}
    except OSError as error:
        raise PlanError(f"the clients {path} cannot be read: {error.strerror}; name another file") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, ValidationError) as error:
        raise PlanError(f"{path} does not say who may ask: {error}; nothing was served: correct it") from error
    if not tables:
        raise PlanError(f"{path} names no client, and nobody could ask; nothing was served: add one")
    grants = {
        name: Grant(table.digest(f"{path}: the token of {name}"), table.budget, table.rows_per_second)
        for name, table in tables.items()
    }
    if len({grant.token_sha256 for grant in grants.values()}) < len(grants):
        raise PlanError(f"{path} gives two clients one token; nothing was served: give each its own")
    return grants
