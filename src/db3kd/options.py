"""Options say in their types what they may be, and refuse the rest when they are made.

They are frozen dataclasses with a default for each field; a range is written as `Annotated[int, Ge(1)]`. A plan checks
the same types, so that what it refuses is refused in Python as well.
"""

import dataclasses
import functools
from collections.abc import Callable, Hashable, Mapping
from typing import get_type_hints

from pydantic import ConfigDict, InstanceOf, TypeAdapter, ValidationError

from db3kd.errors import PlanError


def check_options(options: object) -> None:
    """Refuse options with a value that its field's type does not allow, all in one PlanError; for `__post_init__`."""
    faults = []
    kind: type[Hashable] = type(options)
    for name, check in _checks(kind).items():
        try:
            check(getattr(options, name), strict=True)
        except ValidationError as error:
            for fault in error.errors():
                place = ".".join([name, *map(str, fault["loc"])])
                expected = fault["msg"].removeprefix("Input should be ")
                faults.append(f"{place} must be {expected}, got {fault['input']!r}")
    if faults:
        raise PlanError(f"{type(options).__name__} cannot have these values: {'; '.join(faults)}; nothing was done")


@functools.cache
def _checks(options: type) -> Mapping[str, Callable[..., object]]:
    hints = get_type_hints(options, include_extras=True)
    fields = {field.name: hints[field.name] for field in dataclasses.fields(options)}
    free = ConfigDict(arbitrary_types_allowed=True)
    # A dataclass within checks itself.
    adapters = {
        name: TypeAdapter(InstanceOf[hint]) if dataclasses.is_dataclass(hint) else TypeAdapter(hint, config=free)  # type: ignore[misc,valid-type]  # known at run time
        for name, hint in fields.items()
    }
    return {name: adapter.validate_python for name, adapter in adapters.items()}
