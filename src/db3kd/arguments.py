"""What a public function or options of it were given, against what their types allow: checked before anything is done.

Options are frozen dataclasses with a default for each field; a range is written as `Annotated[int, Ge(1)]`. A plan
checks the same types, so that what it refuses is refused in Python as well.
"""

import functools
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Integral, Real
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    Literal,
    NamedTuple,
    TypeVar,
    Union,
    cast,
    dataclass_transform,
    get_args,
    get_origin,
    get_type_hints,
)

from annotated_types import Ge, Gt, Interval, Le, Lt, MinLen

from db3kd.errors import PlanError

T = TypeVar("T")
# What all generators of random numbers take.
Seed = Annotated[int, Ge(0), Lt(2**32)]
Positive = Annotated[int, Ge(1)]

_WORDS: Mapping[object, str] = {
    NoneType: "None",
    bool: "True or False",
    str: "a text",
    int: "a whole number",
    float: "a number",
    Callable: "a function",
    Mapping: "a mapping",
}
# Larger whole numbers are none to torch and numpy.
_LARGEST = 2**63
_SHOWN = (str, int, float, NoneType)
_FEW = 8


def check_arguments(function: Callable[..., object], given: Mapping[str, object]) -> None:
    """Refuse arguments that a function's types do not allow, all in one PlanError.

    Args:
        function: its parameters have types; what is `Any` may be anything.
        given: by the names of parameters; others are passed over.
    """
    hints = _hints(function)
    faults = [
        f"{name} must be {' or '.join(dict.fromkeys(_words(hint)))}, got {_shown(given[name])}"
        for name, hint in hints.items()
        if name in given and not _fits(given[name], hint)
    ]
    faults = faults or [*_unlike_axes(given, hints)]
    if faults:
        name = function.__qualname__.removesuffix(".__init__")
        raise PlanError(f"{name}: {'; '.join(faults)}; nothing was done: correct it")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def checked_options(kind: type[T]) -> type[T]:
    """Make a frozen dataclass that refuses values which its fields' types do not allow, all in one PlanError."""
    further: Callable[[T], None] = getattr(kind, "__post_init__", lambda _: None)

    def check(made: T) -> None:
        check_arguments(kind.__init__, vars(made))
        for name, value in vars(made).items():
            object.__setattr__(made, name, _plain(value))
        further(made)

    kind.__post_init__ = check  # type: ignore[attr-defined]  # what the dataclass calls
    return dataclass(frozen=True)(kind)


def _plain(value: object) -> object:
    """Give numbers of numpy as those that they stand for, and lists as tuples: a run writes its options down."""
    if type(value) in (tuple, list):
        return tuple(map(_plain, cast("Sequence[object]", value)))
    return cast("Any", value).item() if type(value).__module__ == "numpy" else value


@functools.cache
def _hints(function: Callable[..., object]) -> Mapping[str, Any]:
    return get_type_hints(function, include_extras=True)


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
        return _fits(given, first) and all(_LIMITS[type(limit)].holds(given, limit) for limit in _each(limits))
    if origin is tuple and Ellipsis not in parts:
        return isinstance(given, (tuple, list)) and len(given) == len(parts) and all(map(_fits, given, parts))
    if origin in (tuple, Sequence):
        return _is_list(given, plain=origin is tuple) and _all_fit(cast("Sequence[object]", given), parts[0])
    if hint is bool:
        # numpy has its own.
        return isinstance(given, bool) or type(given).__name__ == "bool"
    # Numbers of numpy are numbers.
    wanted = {int: Integral, float: Real}.get(hint, origin or hint)
    too_large = isinstance(given, int) and not -_LARGEST <= given < _LARGEST
    return isinstance(given, wanted) and not isinstance(given, bool) and not too_large


def _unlike_axes(given: Mapping[str, object], hints: Mapping[str, Any]) -> Iterator[str]:
    """Find arrays whose axes of one name are of different lengths."""
    known: dict[str, tuple[str, int]] = {}
    for name, hint in hints.items():
        parts = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
        axes: list[str] = next((part.dim_str.split() for part in parts if hasattr(part, "dim_str")), [])
        shape = getattr(given.get(name), "shape", ()) if axes else ()
        # What is of another number of axes is told already.
        for axis, size in zip(axes, shape, strict=False):
            if not axis.isidentifier():
                break
            first, length = known.setdefault(axis, (name, size))
            if size != length:
                yield f"{first} and {name} must be alike in {axis}, got {length} and {size}"


def _is_list(given: object, *, plain: bool) -> bool:
    """Whether it is a sequence, or, unless it must be a plain one, an array or what else can be gone through twice."""
    if isinstance(given, (str, bytes, bytearray, memoryview, Mapping)):
        return False
    alike = hasattr(given, "__getitem__") and hasattr(given, "__len__") and getattr(given, "ndim", 1) == 1
    return isinstance(given, Sequence) or (alike and not plain and not isinstance(given, type))


def _all_fit(given: Sequence[object], hint: Any) -> bool:
    if hint is str:
        # Ids may be a million.
        return all(issubclass(kind, str) for kind in set(map(type, given)))
    return all(_fits(one, hint) for one in given)


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
        yield " ".join((*_words(first), *(_LIMITS[type(limit)].words(limit) for limit in _each(limits))))
    elif origin is tuple and Ellipsis not in parts:
        yield f"({', '.join(next(_words(part)) for part in parts)})"
    elif origin in (tuple, Sequence):
        yield f"a list, each {next(_words(parts[0]))}"
    else:
        yield _WORDS.get(origin or hint) or _kind_in_words(hint)


def _kind_in_words(hint: Any) -> str:
    kind = getattr(hint, "array_type", None)
    # Of a tensor, its numbers and axes as well.
    return f"a {hint.__name__}" if kind is None else f"a {kind.__name__} {hint.dtype.__name__} [{hint.dim_str.strip()}]"


class _Limit(NamedTuple):
    holds: Callable[[Any, Any], bool]
    words: Callable[[Any], str]


_LIMITS: Mapping[type, _Limit] = {
    MinLen: _Limit(
        lambda given, limit: len(given) >= limit.min_length, lambda limit: f"and {limit.min_length} or more"
    ),
    Ge: _Limit(lambda given, limit: given >= limit.ge, lambda limit: f"from {limit.ge}"),
    Le: _Limit(lambda given, limit: given <= limit.le, lambda limit: f"to {limit.le}"),
    Gt: _Limit(lambda given, limit: given > limit.gt, lambda limit: f"above {limit.gt}"),
    Lt: _Limit(lambda given, limit: given < limit.lt, lambda limit: f"below {limit.lt}"),
}


def _each(limits: Iterable[object]) -> list[Any]:
    """Take the limits of an interval one by one."""
    return [one for limit in limits for one in (limit if isinstance(limit, Interval) else [limit])]


def _shown(given: object) -> str:
    few: Sequence[object] = given if isinstance(given, (tuple, list)) and len(given) <= _FEW else [given]
    if all(isinstance(one, _SHOWN) for one in few):
        return repr(given)[:80]
    dtype, shape = getattr(given, "dtype", None), getattr(given, "shape", None)
    return f"a {type(given).__name__}" + ("" if dtype is None or shape is None else f" {dtype} {list(shape)}")
