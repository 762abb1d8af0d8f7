"""The plan that a run keeps in `plan.toml`: compared key by key with what is asked for, and written down.

A budget may be raised to go on, so it is not compared. What the keys mean is decided by `db3kd.plan`.
"""

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path

import tomli_w

from db3kd.errors import ArtifactError, RunMismatch

_FIRST_LINE = (
    "# What made this run, as db3kd keeps it (format 2); give another plan to `db3kd distill` instead of editing it."
)
_NOT_COMPARED = "budget"


def merge_plans(kept: Mapping[str, object], asked: Mapping[str, object], folder: Path) -> dict[str, object]:
    """Add to a run's plan what is asked for newly, if nothing in it differs."""
    merged, differences = _normal(kept), []
    for name, value in _normal(asked).items():
        there = merged.get(name)
        if there is None or name == _NOT_COMPARED:
            merged[name] = value
        else:
            differences += differences_of(there, value, name)
    if differences:
        raise RunMismatch(
            f"{folder} was made by another plan: {'; '.join(differences)}. Nothing was changed or spent: use another "
            f"run directory, ask for what this run was made by, or delete {folder} to begin anew"
        )
    return merged


def differences_of(kept: object, asked: object, name: str) -> list[str]:
    """Name each key that differs, with both values."""
    if isinstance(kept, Mapping) and isinstance(asked, Mapping):
        return [
            fault
            for key in [*kept, *(key for key in asked if key not in kept)]
            for fault in differences_of(kept.get(key), asked.get(key), f"{name}.{key}".lstrip("."))
        ]
    # Python holds True for equal to 1.
    if kept == asked and isinstance(kept, bool) == isinstance(asked, bool):
        return []
    return [f"{name} is {_shown(kept)} in the run and {_shown(asked)} in what was asked for"]


def plan_to_bytes(plan: Mapping[str, object]) -> bytes:
    """Write a plan as TOML."""
    return f"{_FIRST_LINE}\n\n{tomli_w.dumps(_normal(plan))}".encode()


def plan_from_file(path: Path) -> dict[str, object] | None:
    """Read the plan of a run, or raise an ArtifactError where it was edited or is of another format version."""
    if not path.exists():
        return None
    try:
        text = path.read_text(encoding="utf-8")
        if not text.startswith(_FIRST_LINE):
            raise ArtifactError(
                f"{path} should begin with the line {_FIRST_LINE!r} and does not: another program or "
                "another version of db3kd wrote it. Nothing was changed: keep your own plan elsewhere and use an empty "
                "run directory"
            )
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ArtifactError(
            f"{path} was edited and is no TOML any more ({error}); nothing was changed: put the right file back, or "
            "use another run directory"
        ) from error


def _normal(plan: Mapping[str, object]) -> dict[str, object]:
    """What the plan would be after it was written and read: TOML has no None and no tuples."""
    normal: dict[str, object] = {}
    for name, value in plan.items():
        if isinstance(value, Mapping):
            normal[name] = _normal(value)
        elif isinstance(value, (list, tuple)):
            normal[name] = list(value)
        elif value is not None:
            normal[name] = value
    return normal


def _shown(value: object) -> str:
    return "not set" if value is None else json.dumps(value, ensure_ascii=False, default=str)
