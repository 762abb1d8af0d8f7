"""Sections of a plan, and how the keys of one are made of a frozen dataclass: its fields, their types and their help.

So a new search, pool or acquisition is one file and one row in `db3kd.names`: its options are keys at once. Which
sections there are stands in `schema`.
"""

import dataclasses
import inspect
import re
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from functools import partial
from types import NoneType
from typing import Annotated, Any, ClassVar, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, create_model

from db3kd.boundary import Method
from db3kd.errors import PlanError
from db3kd.names import SEARCHES, SOFTENINGS, find, made
from db3kd.softening import Softening

# A key of such a type is a name, or a table with a name and options.
_NAMED: Mapping[object, Mapping[str, str]] = {Method: SEARCHES, Softening: SOFTENINGS}
Keys = dict[str, Any]
"""A type and a pydantic field, by the name of a key."""


class Section(BaseModel):
    """A section of the plan: nothing unknown, nothing changed later."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Options(Section):
    """A section whose keys are the options of an object."""

    chosen_by: ClassVar[str] = ""
    maker: ClassVar[Callable[..., object] | None] = None

    @property
    def which(self) -> str:
        """What the object is called, where there is a choice; else nothing."""
        return str(getattr(self, self.chosen_by)) if self.chosen_by else ""

    @property
    def given(self) -> dict[str, Any]:
        """The options that were written; what is left out is the default of the object."""
        keys = [*self.model_fields_set, *(self.model_extra or {})]
        return {key: getattr(self, key) for key in dict.fromkeys(keys) if key != self.chosen_by}

    def open(self, *, without: Collection[str] = (), **known: object) -> Any:
        """Make the object."""
        assert self.maker is not None, "a section of several objects is opened by its reader"
        wanted = inspect.signature(self.maker).parameters
        options = {key: value for key, value in known.items() if key in wanted} | opened(self.given, without)
        return made(self.maker, self.which or "it", **options)


class _OwnOptions(Options):
    """Options of an object of the user's own, which says itself what it takes."""

    model_config = ConfigDict(extra="allow")


def opened(given: Mapping[str, Any], without: Collection[str] = ()) -> dict[str, Any]:
    """Make objects of the options that are some themselves; leave the keys in `without` out."""
    kept = {key: value for key, value in given.items() if key not in without}
    return {key: value.open() if isinstance(value, Options) else value for key, value in kept.items()}


def keys_of(options: type, written: object = None, *, without: Collection[str] = ()) -> Keys:
    """Make keys of a dataclass."""
    hints, told = get_type_hints(options, include_extras=True), arguments_of(options)
    keys: Keys = {}
    for field in dataclasses.fields(options):
        if field.name in without or field.default is field.default_factory is dataclasses.MISSING:
            continue
        within = written.get(field.name) if isinstance(written, Mapping) else None
        default = None if field.default is dataclasses.MISSING else field.default
        usual = "" if field.default_factory is dataclasses.MISSING else getattr(field.default_factory(), "name", "")
        described = Field(default, description=told.get(field.name))
        keys[field.name] = (_type_of(hints[field.name], within, usual), described)
    return keys


def section_of(maker: Callable[..., object] | None, keys: Keys) -> type[Options]:
    """Make the model of a section."""
    model = create_model("Options", __base__=Options, **keys)
    model.maker = staticmethod(maker) if maker is not None else None
    return model


def chosen(
    table: Mapping[str, str], written: object, *, key: str = "name", default: str = "", more: Keys | None = None
) -> type[Options]:
    """Make the model of a section or key for the object that the plan names."""
    named = str(written.get(key, default) if isinstance(written, Mapping) else written or default)
    maker: Callable[..., object] | None = None
    with suppress(PlanError):
        maker = find(table, named)
    typed = isinstance(maker, type) and dataclasses.is_dataclass(maker)
    keys = keys_of(maker, written) if isinstance(maker, type) and typed else {}
    which = Field(default, validate_default=True, description=f"one of {', '.join(table)}, or package.module:factory")
    naming: Keys = {key: (Annotated[str, AfterValidator(partial(known, table))], which)}
    model = create_model("Options", __base__=Options if typed else _OwnOptions, **{**naming, **(more or {}), **keys})
    model.chosen_by = key
    if maker is not None:
        model.maker = staticmethod(maker)
    return model


def known(table: Mapping[str, str], name: str) -> str:
    """Give a name that leads to something, or raise a ValueError, as pydantic wants it."""
    try:
        find(table, name)
    except PlanError as error:
        raise ValueError(str(error)) from error
    return name


def arguments_of(documented: type) -> dict[str, str]:
    """Read what a class's docstring says of its arguments."""
    return arguments_in(documented.__doc__ or "")


def arguments_in(docstring: str) -> dict[str, str]:
    """Read what a docstring says of arguments."""
    text = inspect.cleandoc(docstring).partition("Args:\n")[2]
    block = re.split(r"\n(?=\S)", text)[0]
    entries = re.findall(r"^ {4}(\w+): (.*(?:\n {8}.*)*)", block, flags=re.MULTILINE)
    return {name: " ".join(told.split()) for name, told in entries}


def _type_of(hint: Any, written: object, usual: str = "") -> Any:
    """Turn a field's type into that of a key: a dataclass within becomes a table, a named object a choice."""
    if hint in _NAMED:
        return Annotated[chosen(_NAMED[hint], written, default=usual), BeforeValidator(_as_table)]
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return section_of(hint, keys_of(hint, written))
    parts = get_args(hint)
    if NoneType in parts and len(parts) == 2:
        return Union[_type_of(next(part for part in parts if part is not NoneType), written), None]  # noqa: UP007  # the first is made
    if get_origin(hint) is Literal:
        return Annotated[hint, BeforeValidator(_word)]
    return hint


def _as_table(value: object) -> object:
    return {"name": value} if isinstance(value, str) else value


def _word(value: object) -> object:
    """Take true for the word, which TOML has for a truth value."""
    return str(value).lower() if isinstance(value, bool) else value
