"""Every key that a plan may have, out of the models that check them: type, range, default and help."""

import math
import types
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Interval, Le, Lt
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from db3kd.names import ACQUISITIONS
from db3kd.plan.schema import LESSON_KINDS, POOL_KINDS, SEARCH_NAMES, sections_of
from db3kd.plan.section import Options, arguments_of
from db3kd.plan.writing import in_one_line

# What is left out there follows from the run, these two alone excepted.
_FOLLOWING = ("rounds", "committee", "student", "train")
_FIXED = ("student.preset", "train.preset")
# Shown with a default, it would seem to hold in a plan that has no section `lesson` at all.
_CHOSEN = ("lesson.kind",)
_SIGNS: Mapping[type, str] = {Ge: ">=", Gt: ">", Le: "<=", Lt: "<"}


@dataclass(frozen=True)
class KeyHelp:
    """What there is to know of a key; `where` names the objects that have it, where not all of the section do."""

    key: str
    where: str
    type: str
    default: str
    help: str


@cache
def all_keys() -> tuple[KeyHelp, ...]:
    """List all keys of all sections, with those of every object of ours."""
    choices: Mapping[str, tuple[str, Mapping[str, str]]] = {
        "pool": ("kind", POOL_KINDS),
        "acquisition": ("name", ACQUISITIONS),
        "search": ("name", SEARCH_NAMES),
        "lesson": ("kind", LESSON_KINDS),
    }
    found: dict[tuple[str, str, str, str], list[str]] = {}
    for section in sections_of({}):
        key, table = choices.get(section, ("", {"": ""}))
        for name in table:
            model = sections_of({section: {key: name}} if key else {})[section]
            for one in _keys(model, section):
                found.setdefault((one.key, one.type, one.default, one.help), []).append(name)
    sizes = {section: len(table) for section, (_, table) in choices.items()}
    return tuple(
        KeyHelp(key, "" if len(names) == sizes.get(key.partition(".")[0], 1) else ", ".join(names), *rest)
        for (key, *rest), names in found.items()
    )


def help_of(key: str) -> str:
    """Give the sentence on a key, such as "budget.total", in the form of a help text."""
    found = next(one.help for one in all_keys() if one.key == key)
    return f"{found[0].upper()}{found[1:].removesuffix('.')}."


def _keys(model: type[BaseModel], place: str) -> Iterator[KeyHelp]:
    told = {name: text for kind in reversed(model.__mro__) for name, text in arguments_of(kind).items()}
    for name, field in model.model_fields.items():
        key, inside = f"{place}.{name}", _model_in(field.annotation)
        meaning, shown, default = field.description or told.get(name, ""), _type(field), field.default
        if inside is not None and not inside.chosen_by:
            yield from _keys(inside, key)
            continue
        if inside is not None:
            # Its options are listed where it has a section, or told by its class.
            named = inside.model_fields[inside.chosen_by]
            meaning, shown, default = f"{meaning} ({named.description})", "a name, or a table with one", named.default
        follows = key in _CHOSEN or (key.partition(".")[0] in _FOLLOWING and key not in _FIXED)
        yield KeyHelp(key, "", shown, "" if follows else _toml(default), _left_out(meaning))


def _left_out(meaning: str) -> str:
    """Say in the words of a plan what None is for: TOML has no such value."""
    return meaning.replace(". None for", ". Left out,").replace("None for", "left out,")


def _model_in(annotation: Any) -> type[Options] | None:
    if isinstance(annotation, type):
        return annotation if issubclass(annotation, Options) else None
    return next((found for part in get_args(annotation) if (found := _model_in(part)) is not None), None)


def _type(field: FieldInfo) -> str:
    return _within(_type_of(field.annotation), field.metadata)


def _within(kind: str, constraints: Iterable[object]) -> str:
    """Put the ranges after a type, as in "number >= 0, < 1"."""
    return f"{kind} {', '.join(filter(None, map(_range, constraints)))}".strip()


def _type_of(hint: Any) -> str:
    origin, parts = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _within(_type_of(parts[0]), parts[1:])
    if origin is Literal:
        return " or ".join(map(_toml, parts))
    if origin in (Union, types.UnionType):
        return " or ".join(_type_of(part) for part in parts if part is not types.NoneType)
    if origin is tuple:
        return f"list of {'' if Ellipsis in parts else f'{len(parts)} '}{_many(_type_of(parts[0]))}"
    if origin is dict:
        return "table"
    names = {"str": "text", "int": "whole number", "float": "number", "bool": "true or false"}
    return names.get(getattr(hint, "__name__", ""), str(hint))


def _many(kind: str) -> str:
    """Put a type of numbers into the plural, as in "whole numbers, each >= 1"."""
    before, number, limits = kind.partition("number")
    return f"{before}numbers{limits and f', each{limits}'}" if number else kind


def _range(constraint: object) -> str:
    if isinstance(constraint, Interval):
        return ", ".join(filter(None, map(_range, constraint)))
    sign = _SIGNS.get(type(constraint))
    limit = getattr(constraint, type(constraint).__name__.lower(), None)
    return "" if sign is None or limit == math.inf else f"{sign} {limit}"


def _toml(value: object) -> str:
    unsaid = value in (None, "") or isinstance(value, BaseModel) or "Undefined" in type(value).__name__
    return "" if unsaid else in_one_line(value)
