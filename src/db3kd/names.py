"""The names under which plans and commands find our searches, softenings, pools, acquisitions and trackers.

A new one is its own file and one row here. Whoever has one of their own names it "package.module:factory". What a name
leads to is imported when it is asked for.
"""

import importlib
from collections.abc import Callable, Mapping

from db3kd.errors import Db3kdError, PlanError

SEARCHES: Mapping[str, str] = {
    "sd": "db3kd.boundary.sample:SampleDistance",
    "bd": "db3kd.boundary.bisection:BoundaryDistance",
    "mbd": "db3kd.boundary.sign_opt:MinimalBoundaryDistance",
    "guided": "db3kd.boundary.guided:GuidedDistance",
}
SOFTENINGS: Mapping[str, str] = {
    "inverse": "db3kd.softening:Inverse",
    "proportional": "db3kd.softening:Proportional",
    "smoothed": "db3kd.softening:Smoothed",
    "opinions": "db3kd.softening:Opinions",
}
POOLS: Mapping[str, str] = {
    "images": "db3kd.pools.images:ImagePool",
    "priors": "db3kd.pools.priors.pool:Priors",
    "surrogates": "db3kd.pools.priors.surrogates:Surrogates",
}
ACQUISITIONS: Mapping[str, str] = {
    "random": "db3kd.acquisition.random:Random",
    "margin": "db3kd.acquisition.margin:Margin",
    "disagreement": "db3kd.acquisition.disagreement:Disagreement",
}
TRACKERS: Mapping[str, str] = {"tensorboard": "db3kd.runs.tensorboard:TensorBoard"}


def find(table: Mapping[str, str], name: str) -> Callable[..., object]:
    """Import the class or factory that a name of a table, or "package.module:factory", stands for.

    Called with its options, it gives the object. Raises a PlanError where there is none.
    """
    expected = f"expected one of {', '.join(table)}, or package.module:factory"
    module_name, _, factory_name = table.get(name, name).partition(":")
    if not (module_name and factory_name):
        raise PlanError(f"the name {name!r} is unknown: {expected}")
    found = load(f"{module_name}:{factory_name}", expected)
    if not callable(found):
        raise PlanError(f"{name!r} is {type(found).__name__}, which cannot be called: {expected}")
    return found


def load(place: str, expected: str) -> object:
    """Import what "package.module:name" stands for, or raise a PlanError that says what was expected."""
    module_name, _, name = place.partition(":")
    try:
        return getattr(importlib.import_module(module_name), name)
    except (ImportError, TypeError, ValueError) as error:
        raise PlanError(
            f"{place!r} cannot be imported ({error}): {expected}; install the package or put its folder on PYTHONPATH"
        ) from error
    except AttributeError as error:
        raise PlanError(f"the module {module_name!r} has no {name!r}: {expected}") from error


def made(maker: Callable[..., object], name: str, *arguments: object, **options: object) -> object:
    """Call what `find` gave, or raise a PlanError where it fails: it may be anybody's code."""
    try:
        return maker(*arguments, **options)
    except Db3kdError:
        raise
    except Exception as error:
        given = ", ".join([*map(repr, arguments), *options]) or "no options"
        raise PlanError(
            f"{name} cannot be made of {given} ({type(error).__name__}: {error}); nothing was asked: give what it takes"
        ) from error
