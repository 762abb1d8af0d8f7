"""The names that users import, and what importing them costs."""

import subprocess
import sys
from importlib.resources import files

import pytest

import db3kd

PUBLIC_NAMES = [
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


def _run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_public_names_are_pinned() -> None:
    assert sorted(db3kd.__all__) == PUBLIC_NAMES
    assert dir(db3kd) == PUBLIC_NAMES


def test_every_public_name_is_there() -> None:
    missing = [name for name in PUBLIC_NAMES if not hasattr(db3kd, name)]
    assert not missing


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'distil'"):
        _ = db3kd.distil


def test_import_does_not_load_torch() -> None:
    heavy = ["torch", "numpy", "jaxtyping", "pydantic"]
    assert _run(f"import sys, db3kd; print([name for name in {heavy} if name in sys.modules])") == "[]"


def test_command_line_does_not_load_torch() -> None:
    assert _run("import sys, db3kd.cli; print('torch' in sys.modules)") == "False"


def test_package_ships_its_types() -> None:
    assert (files("db3kd") / "py.typed").is_file()
