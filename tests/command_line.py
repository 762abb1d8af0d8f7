"""The program as a user calls it: in this process, which is quick, or as a process of its own."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import db3kd
from db3kd.cli import main

TEACHER = ("--teacher", "python:logged_teacher:decide?input_shape=1,16,16&num_classes=4&max_batch=64")
"""The teacher of `logged_teacher`."""
SMALL = (
    "--student",
    "lenet5-fifth",
    *("--set", "student.epochs=2", "--set", "student.batch_size=16"),
    *("--set", "committee.seen=60", "--set", "committee.architecture=made_networks:one_layer"),
)
"""A student that is trained in no time."""

_PATHS = os.pathsep.join((str(Path(db3kd.__file__).parents[1]), str(Path(__file__).parent)))


def settings(**keys: object) -> tuple[str, ...]:
    """Options --set, with two underscores for a dot."""
    return tuple(word for key, value in keys.items() for word in ("--set", f"{key.replace('__', '.')}={value}"))


@dataclass(frozen=True)
class Done:
    """How a command ended and what it printed."""

    code: int
    out: str
    err: str

    @property
    def figures(self) -> dict[str, Any]:
        """What --json printed: all of stdout is one JSON object."""
        found: dict[str, Any] = json.loads(self.out)
        return found


@dataclass(frozen=True)
class Caller:
    """Calls the program in this process."""

    captured: pytest.CaptureFixture[str]

    def __call__(self, *arguments: object, expect: int = 0) -> Done:
        self.captured.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        printed = self.captured.readouterr()
        assert ended.value.code == expect, printed.err
        assert "Traceback" not in printed.err
        return Done(expect, printed.out, printed.err)


def start(*arguments: object, before: str = "", environment: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
    """Start the program as a process of its own, after some lines of Python."""
    # One thread: the same bytes come out of the same training only with the same number of threads.
    settings = {"PYTHONPATH": _PATHS, "OMP_NUM_THREADS": "1", **(environment or {})}
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", f"{before}\nfrom db3kd.cli import main\nmain()", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **settings},
    )


def finish(process: subprocess.Popen[str], *, expect: int = 0) -> Done:
    """Wait for its end, which must be the one that is expected."""
    out, err = process.communicate(timeout=100)
    assert process.returncode == expect, err
    assert expect == -signal.SIGKILL or "Traceback" not in err
    return Done(expect, out, err)
