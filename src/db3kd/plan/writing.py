"""What a user writes: plans in TOML files, and single keys as in `--set search.name=mbd`; put together key by key."""

import json
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

from db3kd.errors import PlanError
from db3kd.plan.teacher_keys import taken_apart

Content = dict[str, object]
# Sections of which a bare word is the name of the object.
_NAMING = {"search": "name", "acquisition": "name", "pool": "kind", "lesson": "kind", "teacher": "uri"}
# A list of pools is kept as one name: "images+priors".
SEVERAL = "+"


def read_plan(path: Path) -> Content:
    """Read a plan from a TOML file."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise PlanError(f"the plan {path} cannot be read: {error.strerror}; name another file") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PlanError(f"the plan {path} is no TOML: {error}; correct it") from error


def read_settings(settings: Sequence[str]) -> Content:
    """Read settings such as "search.queries_per_pair=100"; a value is TOML's, or else a word."""
    content: Content = {}
    for setting in settings:
        key, equals, text = setting.partition("=")
        names = key.strip().split(".")
        if not equals or not all(names):
            raise PlanError(f"--set takes section.key=value, got {setting!r}; nothing was done: write it so")
        try:
            value: object = tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            value = text.strip()
        for name in reversed(names):
            value = {name: value}
        content = merged(content, value)  # type: ignore[arg-type]  # names are not empty
    return content


def in_one_line(value: object) -> str:
    """Write a value of a plan on one line; JSON's way is TOML's as well, but for tables."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(key)} = {in_one_line(one)}" for key, one in value.items()) + " }"
    if isinstance(value, (tuple, list)):
        return f"[{', '.join(map(in_one_line, value))}]"
    return json.dumps(value, ensure_ascii=False)


def merged(*contents: Mapping[str, object]) -> Content:
    """Put what is written in several places together."""
    together: Content = {}
    for content in contents:
        together = _over(together, _in_tables(content))
    return together


def _in_tables(content: Mapping[str, object]) -> Content:
    pools = content.get("pool")
    if isinstance(pools, list) and pools and all(isinstance(one, str) for one in pools):
        content = {**content, "pool": SEVERAL.join(pools)}
    tables: Content = {
        name: {_NAMING[name]: section} if isinstance(section, str) and name in _NAMING else section
        for name, section in content.items()
    }
    teacher = tables.get("teacher")
    if isinstance(teacher, Mapping):
        try:
            tables["teacher"] = taken_apart(teacher) if "uri" in teacher else teacher
        except ValueError as error:
            raise PlanError(f"teacher.uri: {error}; nothing was done") from error
    return tables


def _over(below: Mapping[str, object], above: Mapping[str, object]) -> Content:
    together = dict(below)
    for name, value in above.items():
        there = together.get(name)
        # A softening may be a word or a table with a name.
        if isinstance(there, str) and isinstance(value, Mapping):
            there = {"name": there}
        if isinstance(there, Mapping) and isinstance(value, str):
            value = {"name": value}
        both = isinstance(there, Mapping) and isinstance(value, Mapping)
        together[name] = _over(there, value) if both else value  # type: ignore[arg-type]  # both are tables
    return together
