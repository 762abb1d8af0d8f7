"""Whether what is asked for is what a run was made by: plans compared key by key, and how they are kept.

A budget is no part of a plan's identity: it may be raised to go on. What the keys mean is decided by `db3kd.plan`;
`run.py` calls it.
"""

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path

import tomli_w

from db3kd.errors import ArtifactError, RunMismatch

_FIRST_LINE = (
    "# What made this run, as db3kd keeps it (format 1); give another plan to `db3kd run` instead of editing it."
)
_SECTION_OUTSIDE_IDENTITY = "budget"


def merge_plans(kept: Mapping[str, object], asked: Mapping[str, object], folder: Path) -> dict[str, object]:
    """Add to a run's plan what is asked for newly, if nothing in it differs.

    A whole section that one of the two does not have is no difference; a key within a section of both is. The newest
    section `budget` counts.

    Args:
        kept: the plan of the run: sections, and values outside of any.
        asked: the plan that is asked for; None is the same as an absent key.
        folder: the run's folder, for the message.

    Returns:
        The plan of the run from now on.

    Raises:
        RunMismatch: naming each key that differs, with both values.
    """
    merged = _normal(kept)
    differences = []
    for name, value in _normal(asked).items():
        there = merged.get(name)
        if there is None or name == _SECTION_OUTSIDE_IDENTITY:
            merged[name] = value
        elif isinstance(there, dict) and isinstance(value, dict):
            keys = [*there, *(key for key in value if key not in there)]
            differences += [
                _difference(f"{name}.{key}", there.get(key), value.get(key))
                for key in keys
                if not _same(there.get(key), value.get(key))
            ]
        elif not _same(there, value):
            differences.append(_difference(name, there, value))
    if differences:
        raise RunMismatch(
            f"{folder} was made by another plan: {'; '.join(differences)}. Nothing was changed or spent: use another "
            f"run directory, ask for what this run was made by, or delete {folder} to begin anew"
        )
    return merged


def check_teacher(kept: str, asked: str, folder: Path) -> None:
    """Refuse to go on with another teacher.

    Args:
        kept: the fingerprint of the run's teacher.
        asked: the fingerprint of the teacher that is there now.
        folder: the run's folder, for the message.

    Raises:
        RunMismatch: they differ.
    """
    if kept != asked:
        raise RunMismatch(
            f"{folder} was made by the teacher with fingerprint {kept!r}, and the one given has {asked!r}. Nothing was "
            f"changed or spent: give the same teacher, use another run directory, or delete {folder} to begin anew"
        )


def plan_to_bytes(plan: Mapping[str, object]) -> bytes:
    """Write a plan as TOML.

    Args:
        plan: sections, and values outside of any.

    Returns:
        The file's content.
    """
    return f"{_FIRST_LINE}\n\n{tomli_w.dumps(_normal(plan))}".encode()


def plan_from_file(path: Path) -> dict[str, object] | None:
    """Read the plan of a run.

    Args:
        path: the file.

    Returns:
        The plan, or None where there is none yet.

    Raises:
        ArtifactError: the file was edited into something else, or is of another format version.
    """
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


def _same(one: object, other: object) -> bool:
    # Python holds True for equal to 1.
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def _difference(key: str, kept: object, asked: object) -> str:
    return f"{key} is {_shown(kept)} in the run and {_shown(asked)} in what was asked for"


def _shown(value: object) -> str:
    return "not set" if value is None else json.dumps(value, ensure_ascii=False, default=str)
