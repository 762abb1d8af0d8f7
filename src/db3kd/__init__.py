"""Distils a small classifier from a teacher that tells nothing but its decision.

The public names are loaded on first use, so that `import db3kd` and `db3kd --help` do not wait for torch. This module
only points to them, and nothing inside the package imports more than the version from it.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from db3kd import acquisition, boundary, data, models, pools, scaling, softening, teachers, training
    from db3kd.api import Result, distill

__all__ = [
    "Result",
    "__version__",
    "acquisition",
    "boundary",
    "data",
    "distill",
    "models",
    "pools",
    "scaling",
    "softening",
    "teachers",
    "training",
]

__version__ = "0.2.0.dev0"

_HOMES = {"distill": "db3kd.api", "Result": "db3kd.api"}


def __getattr__(name: str) -> object:
    """Load a public name from the module where it lives (PEP 562)."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    if name in __all__:
        return import_module(f"db3kd.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
