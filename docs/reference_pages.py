"""Parts of the reference as Markdown, out of what the program itself checks: keys, commands, figures.

Called by `conf.py` when the manual is made, and by the tests, which need no Sphinx.
"""

import importlib
import inspect
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import typer
from typer.main import get_command

from db3kd.cli.app import COMMANDS
from db3kd.plan import Plan
from db3kd.plan.listing import all_keys
from db3kd.plan.section import arguments_in, arguments_of
from db3kd.report.schema import Report


def plan_keys() -> str:
    """List every key of a plan, a section at a time."""
    parts = []
    for section, told in arguments_of(Plan).items():
        keys = [one for one in all_keys() if one.key.partition(".")[0] == section]
        rows = [(f"`{one.key}`", one.help, one.type, _code(one.default), one.where) for one in keys]
        parts.append(
            f"## {section}\n\n{_sentence(told)}\n\n{_table(('key', 'meaning', 'type', 'default', 'of'), rows)}"
        )
    return "\n\n".join(parts)


def commands() -> str:
    """List every command with its arguments and options."""
    return "\n\n".join(_command(name, place) for name, (place, _) in COMMANDS.items())


def report_fields() -> str:
    """List what `report.json` holds, an object at a time, in the order in which they are met."""
    schema = Report.model_json_schema()
    objects: Mapping[str, Any] = schema["$defs"]
    parts = [_object("Report", schema)]
    parts += [_object(name, objects[name]) for name in _in_order(schema, objects)]
    return "\n\n".join(parts)


PAGES: Mapping[str, Callable[[], str]] = {
    "plan-keys": plan_keys,
    "commands": commands,
    "report-fields": report_fields,
}


def _command(name: str, place: str) -> str:
    module, _, function = place.partition(":")
    called = getattr(importlib.import_module(f"db3kd.cli.{module}"), function)
    app = typer.Typer(add_completion=False)
    app.command()(called)
    rows = []
    arguments = []
    for parameter in get_command(app).params:
        if parameter.param_type_name == "argument":
            word = str(parameter.metavar or parameter.name).upper()
            arguments.append(word)
            names = f"`{word}`"
        else:
            names = ", ".join(f"`{option}`" for option in (*parameter.opts, *parameter.secondary_opts))
        told = str(getattr(parameter, "help", "") or "")
        default = parameter.default
        shown = "" if default in (None, ()) or default is False or callable(default) else f"`{default}`"
        rows.append((names, "yes" if parameter.required else "", shown, told))
    usage = " ".join(["db3kd", name, *arguments, "[OPTIONS]"])
    told = "\n\n".join(" ".join(part.split()) for part in inspect.cleandoc(called.__doc__ or "").split("\n\n"))
    told = re.sub(r"(?<![`\w-])--[a-z-]+", r"`\g<0>`", told)
    return f"## {name}\n\n    {usage}\n\n{told}\n\n{_table(('option', 'needed', 'default', 'meaning'), rows)}"


def _object(name: str, schema: Mapping[str, Any]) -> str:
    told = inspect.cleandoc(schema.get("description", "")).replace("None", "null")
    meanings = arguments_in(told)
    rows = [
        (f"`{field}`", _type(shape), _default(shape.get("default")), meanings.get(field, ""))
        for field, shape in schema["properties"].items()
    ]
    paragraphs = [part for part in told.split("\n\n") if not part.startswith("Args:")]
    text = "\n\n".join(" ".join(part.split()) for part in paragraphs)
    return f"## {name}\n\n{_escaped(text)}\n\n{_table(('field', 'type', 'default', 'meaning'), rows)}"


def _default(value: object) -> str:
    return "" if value in (None, [], {}, "") else _code(str(value).lower() if isinstance(value, bool) else str(value))


def _in_order(schema: object, objects: Mapping[str, Any]) -> Sequence[str]:
    """The names of the objects that a schema leads to, in the order in which a reader meets them."""
    found = dict.fromkeys(_named(schema.get("properties", {}) if isinstance(schema, dict) else schema))
    for name in tuple(found):
        found |= dict.fromkeys(_in_order(objects[name], objects))
    return tuple(name for name in found if "properties" in objects[name])


def _named(shape: object) -> Iterable[str]:
    if isinstance(shape, Mapping):
        reference = shape.get("$ref")
        if isinstance(reference, str):
            yield reference.rpartition("/")[2]
        shape = list(shape.values())
    if isinstance(shape, list):
        for part in shape:
            yield from _named(part)


def _type(shape: Mapping[str, Any]) -> str:
    """Name a type of JSON in words."""
    if "$ref" in shape:
        name = shape["$ref"].rpartition("/")[2]
        return "anything" if name == "JsonValue" else f"[{name}](#{name.lower()})"
    if "anyOf" in shape:
        return " or ".join(_type(part) for part in shape["anyOf"])
    if "enum" in shape or "const" in shape:
        return " or ".join(_code(str(one)) for one in shape.get("enum", [shape.get("const")]))
    kind = shape.get("type")
    if kind == "array":
        inner = shape.get("items")
        if inner is None:
            return "list"
        if "anyOf" in inner:
            return f"list of ({_type(inner)})"
        return "list of " + re.sub(r"^(whole number|number|list)", r"\1s", _type(inner))
    if kind == "object":
        inner = shape.get("additionalProperties")
        return f"table of {_type(inner)}" if isinstance(inner, Mapping) else "table"
    names = {
        "string": "text",
        "integer": "whole number",
        "number": "number",
        "boolean": "true or false",
        "null": "null",
    }
    signs = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<"}
    ranges = ", ".join(f"{sign} {shape[name]}" for name, sign in signs.items() if name in shape)
    return f"{names.get(str(kind), 'anything')} {ranges}".strip()


def _table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a table without the columns in which nothing stands."""
    listed = [tuple(map(_cell, row)) for row in rows]
    kept = [column for column in range(len(titles)) if any(row[column] for row in listed)]
    lines = [[titles[column] for column in kept], ["---"] * len(kept)]
    lines += [[row[column] for column in kept] for row in listed]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(text: str) -> str:
    return _escaped(" ".join(text.split())).replace("|", "\\|")


def _escaped(text: str) -> str:
    """Keep Markdown from reading brackets, stars and angles outside of code as its own."""
    pieces = re.split(r"(`[^`]*`|\[\w+\]\(#\w+\))", text)
    return "".join(
        piece if number % 2 else re.sub(r"([\[\]*<>_#])", r"\\\1", piece) for number, piece in enumerate(pieces)
    )


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."
