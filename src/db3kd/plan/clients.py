"""The file that says who may ask a served teacher: a table for each client, in TOML.

A token is named by the environment variable that holds it, or by its SHA-256, so the file itself holds no secret. Read
by `db3kd serve`.
"""

import hashlib
import os
import tomllib
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from db3kd.errors import PlanError
from db3kd.serving import Grant


class ClientSection(BaseModel):
    """One client.

    Args:
        token_env: the environment variable that holds its token.
        token_sha256: or the digest of the token, in hexadecimal.
        budget: most rows in all; without, there is no limit.
        rows_per_second: most rows a second, on average; likewise.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    token_env: str | None = None
    token_sha256: Annotated[str, Field(pattern="^[0-9a-fA-F]{64}$")] | None = None
    budget: Annotated[int, Field(ge=0)] | None = None
    rows_per_second: Annotated[float, Field(gt=0)] | None = None

    @model_validator(mode="after")
    def _has_one_token(self) -> "ClientSection":
        if (self.token_env is None) == (self.token_sha256 is None):
            raise ValueError("give token_env or token_sha256")
        return self


def read_clients(path: Path) -> dict[str, Grant]:
    """Read who may ask.

    Args:
        path: the file.

    Returns:
        What each client may do, by its name.

    Raises:
        PlanError: the file cannot be read, says something impossible, or names a variable that is not set.
    """
    try:
        content = tomllib.loads(path.read_text())
        sections = {name: ClientSection.model_validate(keys) for name, keys in content.items()}
    except OSError as error:
        raise PlanError(f"the clients {path} cannot be read: {error.strerror}; name another file") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, ValidationError) as error:
        raise PlanError(f"{path} does not say who may ask: {error}; nothing was served: mend it") from error
    if not sections:
        raise PlanError(f"{path} names no client, and nobody could ask; nothing was served: add one")
    grants = {name: _grant(name, section, path) for name, section in sections.items()}
    if len({grant.token_sha256 for grant in grants.values()}) < len(grants):
        raise PlanError(f"{path} gives two clients one token; nothing was served: give each its own")
    return grants


def _grant(name: str, section: ClientSection, path: Path) -> Grant:
    digest = section.token_sha256
    if section.token_env is not None:
        token = os.environ.get(section.token_env, "").strip()
        if not token:
            raise PlanError(
                f"{path}: the token of {name} is to be in the environment variable {section.token_env}, which is not "
                "set; nothing was served: put it there"
            )
        digest = hashlib.sha256(token.encode()).hexdigest()
    return Grant((digest or "").lower(), section.budget, section.rows_per_second)
