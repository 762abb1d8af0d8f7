"""The virtual environment that public rivals live in, made once and kept in the cache folder.

They are no dependency of db3kd: whoever does not compare never installs them. What the running interpreter has already
(torch above all, which is big) is seen from there through a .pth file and not installed again. Asked by the programs
before anything is measured (`benchmarks.search --rivals`, `benchmarks.frontier`).
"""

import hashlib
import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import benchmarks
import db3kd
from db3kd.data.retrieval import CACHE_VARIABLE, cache_folder
from db3kd.errors import PlanError, StorageError

logger = logging.getLogger(__name__)

# The versions that the comparisons were tried with; what a `worker` mends in them is in these.
FOOLBOX = "3.3.4"
ART = "1.20.1"
_WANTED = (f"foolbox=={FOOLBOX}", f"adversarial-robustness-toolbox=={ART}")
# What the folders are called that packages are installed into.
_SITE_FOLDERS = ("site-packages", "dist-packages")
_SECONDS_TO_INSTALL = 900


def rivals_python() -> Path:
    """Find the interpreter of the rivals' environment, and make the environment where there is none.

    Returns:
        An interpreter that can import foolbox, ART and everything that the running one can.

    Raises:
        PlanError: it could not be made; most likely there is no network.
        StorageError: the cache folder cannot be written.
    """
    folder = cache_folder() / "rivals" / _name()
    python = folder / "bin" / "python"
    # False as well where the interpreter that the environment was made with has gone.
    if python.exists():
        return python
    logger.info("making the rivals' environment in %s", folder)
    # With the process in its name, and moved when it is complete: it appears whole, whoever else is making it.
    unfinished = folder.with_name(f"{folder.name}.{os.getpid()}.part")
    try:
        unfinished.parent.mkdir(parents=True, exist_ok=True)
        _make(unfinished)
        if not python.exists():
            shutil.rmtree(folder, ignore_errors=True)
            unfinished.rename(folder)
    except OSError as error:
        raise StorageError(
            f"the rivals' environment cannot be written to {folder} ({error}): nothing of it was kept; "
            f"make room, or set {CACHE_VARIABLE} to a folder that can be written"
        ) from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return python


def variables() -> dict[str, str]:
    """Give the variables of this process, with db3kd and these benchmarks found where they are found here."""
    roots = [Path(package.__file__ or "").parents[1] for package in (benchmarks, db3kd)]
    # An installed db3kd is seen anyway; on PYTHONPATH, its folder would come before the environment's own.
    own = [str(root) for root in roots if root.name not in _SITE_FOLDERS]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH"), *own)))}


def _name() -> str:
    """Another interpreter, another set of folders that it imports from or another version: another environment."""
    made_of = "\n".join((sys.version, sys.executable, *_site_folders(), *_WANTED))
    return hashlib.sha256(made_of.encode()).hexdigest()[:16]


def _site_folders() -> tuple[str, ...]:
    """Where the running interpreter has its packages from."""
    return tuple(dict.fromkeys(entry for entry in sys.path if Path(entry).name in _SITE_FOLDERS))


def _make(folder: Path) -> None:
    _run((sys.executable, "-m", "venv", str(folder)))
    for own in folder.glob("lib/python*/site-packages"):
        (own / "of_db3kd.pth").write_text("\n".join(_site_folders()) + "\n")
    # After the .pth file: what pip finds through it counts as installed.
    _run((str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--no-input", *_WANTED))


def _run(command: Sequence[str]) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=_SECONDS_TO_INSTALL)
    except subprocess.TimeoutExpired as error:
        raise PlanError(_complaint(command, f"it took more than {_SECONDS_TO_INSTALL} seconds")) from error
    except subprocess.CalledProcessError as error:
        said = (error.stderr or error.stdout or "it said nothing").strip()
        raise PlanError(_complaint(command, "\n".join(said.splitlines()[-5:]))) from error


def _complaint(command: Sequence[str], reason: str) -> str:
    return (
        f"the rivals need {' and '.join(_WANTED)} from PyPI in an environment of their own, which could not be made: "
        f"{' '.join(command)} failed; nothing of it was kept and nothing was measured: run again where PyPI can be "
        f"reached, or leave the rivals out.\nWhat it said:\n{reason}"
    )
