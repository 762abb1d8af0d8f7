"""Python environments of their own for other people's programs, made once and kept in the cache folder."""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from db3kd.data.retrieval import cache_folder

_PYTHONS = ("python3.12", "python3.11")


def environment(*wanted: str) -> Path:
    """An interpreter under 3.13 with some packages; skips the test where there is no such Python.

    Args:
        wanted: what pip is to install, with its options.

    Returns:
        The environment's folder.
    """
    mine = [sys.executable] if sys.version_info < (3, 13) else []
    python = next(iter([*mine, *filter(None, map(shutil.which, _PYTHONS))]), None)
    if python is None:
        pytest.skip(f"{wanted[0]} needs a Python under 3.13, and there is none here")
    name = hashlib.sha256("\n".join((python, *wanted)).encode()).hexdigest()[:16]
    folder = cache_folder() / "servers" / name
    if not (folder / "complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([python, "-m", "venv", str(folder)], check=True)
        install = [str(folder / "bin/python"), "-m", "pip", "install", "--quiet", "--no-input", *wanted]
        subprocess.run(install, check=True, capture_output=True, timeout=600)
        (folder / "complete").touch()
    return folder
