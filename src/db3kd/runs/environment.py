"""What a run was made with: the machine, the versions of what computes, and the commit of the source.

Versions are read from the installed packages' records, so that looking does not import torch. `run.py` calls it.
"""

import functools
import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path

_PACKAGES = (
    "torch",
    "numpy",
    "safetensors",
    "pydantic",
    "onnxruntime",
    "ray",
    "scikit-learn",
    "timm",
    "torchvision",
    "transformers",
)


def describe_environment() -> dict[str, object]:
    """Tell what this process computes with; None where something is not there."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cores": os.cpu_count(),
        "db3kd": _version("db3kd"),
        "commit": _commit(Path(__file__)),
        "packages": {name: _version(name) for name in _PACKAGES},
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


@functools.cache  # the code that runs is the code that was loaded
def _commit(source: Path) -> str | None:
    """Name the commit, with "-dirty" where files differ from it; None where the source is not under git."""
    # An installed copy may lie in somebody else's repository: what is not tracked there has no commit.
    if _git(source, "ls-files", "--error-unmatch", source.name) is None:
        return None
    return _git(source, "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")


def _git(source: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "--no-optional-locks", "-C", str(source.parent), *arguments],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
