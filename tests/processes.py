"""Real processes for tests of what survives a kill: a script, started, watched and ended."""

import os
import subprocess
import sys
from pathlib import Path

import db3kd

_SOURCE = str(Path(db3kd.__file__).parents[1])


def start(script: str, *arguments: object) -> subprocess.Popen[str]:
    """Start a script with this Python; what it prints comes line by line."""
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", script, *map(str, arguments)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": _SOURCE, "PYTHONUNBUFFERED": "1"},
    )


def finish(process: subprocess.Popen[str]) -> str:
    """Wait for the end, which must be a good one, and give what was printed."""
    printed, _ = process.communicate(timeout=60)
    assert process.returncode == 0, printed
    return printed


def kill_after(process: subprocess.Popen[str], lines: int) -> list[str]:
    """Kill it when it has printed so many lines, and give all that it printed."""
    assert process.stdout is not None
    printed = [process.stdout.readline() for _ in range(lines)]
    assert process.poll() is None, "it ended before it could be killed"
    process.kill()
    printed += process.stdout.readlines()  # `communicate` would miss what readline has read ahead
    process.stdout.close()
    process.wait(timeout=60)
    return [line.strip() for line in printed]
