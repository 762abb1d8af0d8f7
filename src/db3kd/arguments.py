"""What a public function was given, against what its signature allows: checked before anything is done."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from annotated_types import Ge, Lt
from pydantic import TypeAdapter, ValidationError

from db3kd.errors import PlanError

# What all generators of random numbers take.
Seed = Annotated[int, Ge(0), Lt(2**32)]

_WORDS = {NoneType: "None", str: "a text", int: "a whole number", float: "a number"}
_SHOWN = (str, int, float, NoneType)


def check_arguments(function: Callable[..., object], given: Mapping[str, object]) -> None:
    """Refuse arguments that a function's types do not allow, all in one PlanError.

    Args:
        function: its parameters have types; what is `Any` may be anything.
        given: by the names of parameters; others are passed over.
    """
    hints = get_type_hints(function, include_extras=True)
    faults = [
        f"{name} must be {' or '.join(dict.fromkeys(_words(hint)))}, got {_shown(given[name])}"
        for name, hint in hints.items()
        if name in given and not _fits(given[name], hint)
    ]
    if faults:
        raise PlanError(f"{function.__name__}: {'; '.join(faults)}; nothing was done: mend it")


def check_callable(name: str, given: Callable[..., object], *example: object) -> None:
    """Refuse a function that cannot be called as it will be, or raise a PlanError."""
    try:
        inspect.signature(given).bind(*example)
    except ValueError:
        # Some functions that are written in C do not tell what they take.
        return
    except TypeError as error:
        raise PlanError(
            f"{name} will be called with {len(example)} arguments such as {example}, and {_shown(given)} cannot be "
            f"({error}); nothing was done: give a function of these"
        ) from error


def _fits(given: object, hint: Any) -> bool:
    origin = get_origin(hint)
    if hint is Any:
        return True
    if origin in (Union, UnionType):
        return any(_fits(given, part) for part in get_args(hint))
    if origin is Literal:
        return isinstance(given, str) and given in get_args(hint)
    if origin is Annotated:
        try:
            TypeAdapter(hint).validate_python(given, strict=True)
        except ValidationError:
            return False
        return True
    if isinstance(given, bool) and hint is not bool:
        return False
    return isinstance(given, (int, float) if hint is float else NoneType if hint is None else hint)


def _words(hint: Any) -> Iterator[str]:
    """Say what a type allows."""
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        for part in parts:
            yield from _words(part)
    elif origin is Literal:
        yield from map(repr, parts)
    elif origin is Annotated:
        first, *limits = parts
        yield " ".join((*_words(first), *(_LIMITS[type(limit)](limit) for limit in limits)))
    else:
        yield _WORDS.get(hint) or f"a {hint.__name__}"


_LIMITS: Mapping[type, Callable[[Any], str]] = {
    Ge: lambda limit: f"from {limit.ge}",
    Lt: lambda limit: f"below {limit.lt}",
}


def _shown(given: object) -> str:
    return repr(given)[:80] if isinstance(given, _SHOWN) else f"a {type(given).__name__}"
