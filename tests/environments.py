"""Python environments of their own for other people's programs, made once and kept in the cache folder."""

import fcntl
import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from db3kd.data.retrieval import cache_folder

_PYTHONS = ("python3.12", "python3.11")
_SITE_FOLDERS = ("site-packages", "dist-packages")


def environment(*wanted: str, beside: bool = False) -> Path:
    """An interpreter under 3.13 with some packages; skips the test where there is no such Python.

    Args:
        wanted: what pip is to install, with its options.
        beside: whether it sees all that the running interpreter has, torch above all, and is that interpreter.

    Returns:
        The environment's folder.
    """
    mine = [sys.executable] if beside or sys.version_info < (3, 13) else []
    seen = [entry for entry in sys.path if Path(entry).name in _SITE_FOLDERS] if beside else []
    python = next(iter([*mine, *filter(None, map(shutil.which, _PYTHONS))]), None)
    if python is None:
        pytest.skip(f"{wanted[0]} needs a Python under 3.13, and there is none here")
    name = hashlib.sha256("\n".join((python, *seen, *wanted)).encode()).hexdigest()[:16]
    folder = cache_folder() / "servers" / name
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        # Two processes of the tests may want it at the same time.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            subprocess.run([python, "-m", "venv", str(folder)], check=True)
            for own in folder.glob("lib/python*/site-packages"):
                (own / "of_db3kd.pth").write_text("\n".join(seen) + "\n")
            install = [str(folder / "bin/python"), "-m", "pip", "install", "--quiet", "--no-input", *wanted]
            subprocess.run(install, check=True, capture_output=True, timeout=600)
            (folder / "complete").touch()
    return folder
