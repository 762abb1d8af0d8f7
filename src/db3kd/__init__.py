"""Distils a small classifier from a teacher that tells nothing but its decision.

The public names are loaded on first use, so that `import db3kd` and `db3kd --help` do not wait for torch.
What they do lives in the modules: this one only points to them, and nothing inside the package imports from it.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from db3kd.pipeline import distill, distill_without_data

__all__ = ["__version__", "distill", "distill_without_data"]

__version__ = "0.1.0"

_HOMES = {"distill": "db3kd.pipeline", "distill_without_data": "db3kd.pipeline"}


def __getattr__(name: str) -> object:
    """Load a public name from the module where it lives (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
