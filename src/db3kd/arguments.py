"""What a public function was given, against what its signature allows: checked before anything is done."""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from numbers import Integral, Real
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NamedTuple, Union, cast, get_args, get_origin, get_type_hints

from annotated_types import Ge, Lt

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
        name = function.__qualname__.removesuffix(".__init__")
        raise PlanError(f"{name}: {'; '.join(faults)}; nothing was done: mend it")


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
    origin, parts = get_origin(hint), get_args(hint)
    if hint is Any:
        return True
    if origin in (Union, UnionType):
        return any(_fits(given, part) for part in parts)
    if origin is Literal:
        return isinstance(given, str) and given in parts
    if origin is Annotated:
        first, *limits = parts
        return _fits(given, first) and all(_LIMITS[type(limit)].holds(given, limit) for limit in limits)
    if origin is tuple and Ellipsis not in parts:
        return isinstance(given, (tuple, list)) and len(given) == len(parts) and all(map(_fits, given, parts))
    if origin in (tuple, Sequence):
        listed = isinstance(given, Sequence) and not isinstance(given, (str, bytes))
        return listed and all(_fits(one, parts[0]) for one in cast("Sequence[object]", given))
    # Numbers of numpy are numbers.
    wanted = {int: Integral, float: Real}.get(hint, hint)
    return isinstance(given, wanted) and (hint is bool or not isinstance(given, bool))


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
        yield " ".join((*_words(first), *(_LIMITS[type(limit)].words(limit) for limit in limits)))
    elif origin is tuple and Ellipsis not in parts:
        yield f"({', '.join(next(_words(part)) for part in parts)})"
    elif origin in (tuple, Sequence):
        yield f"a list, each {next(_words(parts[0]))}"
    else:
        # Of a tensor, its kind; what shape it must have is told elsewhere.
        yield _WORDS.get(hint) or f"a {getattr(hint, 'array_type', hint).__name__}"


class _Limit(NamedTuple):
    holds: Callable[[Any, Any], bool]
    words: Callable[[Any], str]


_LIMITS: Mapping[type, _Limit] = {
    Ge: _Limit(lambda given, limit: given >= limit.ge, lambda limit: f"from {limit.ge}"),
    Lt: _Limit(lambda given, limit: given < limit.lt, lambda limit: f"below {limit.lt}"),
}


def _shown(given: object) -> str:
    return repr(given)[:80] if isinstance(given, _SHOWN) else f"a {type(given).__name__}"
