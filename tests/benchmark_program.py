"""A program of benchmarks/ as a user calls it, in this process."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from benchmarks import command


@dataclass(frozen=True)
class Printed:
    """What a program printed."""

    out: str
    err: str


@dataclass(frozen=True)
class Program:
    """Runs programs in this process."""

    captured: pytest.CaptureFixture[str]

    def __call__(self, program: Callable[..., None], *arguments: object, expect: int = 0) -> Printed:
        self.captured.readouterr()
        with pytest.raises(SystemExit) as ended:
            command.run(program, program.__name__, [str(argument) for argument in arguments])
        printed = self.captured.readouterr()
        assert ended.value.code == expect, printed.err
        assert "Traceback" not in printed.err
        return Printed(printed.out, printed.err)
