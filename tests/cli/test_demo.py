"""`db3kd demo` hands its options on, and prints the report that comes of it."""

from pathlib import Path

import pytest

from command_line import Caller
from db3kd.demo import DemoOptions
from db3kd.report.schema import Report, from_json
from db3kd.runs import Keeper
from made_report import report


def test_its_options_are_those_of_the_demo(call: Caller, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[DemoOptions] = []

    def demonstrate(keeper: Keeper, options: DemoOptions) -> Report:
        assert keeper.run.folder == tmp_path / "demo"
        assert keeper.context.device == "cpu"
        keeper.context.progress("train", 1, 2, "epochs")
        seen.append(options)
        return report()

    monkeypatch.setattr("db3kd.cli.demo.demonstrate", demonstrate)
    assert from_json(call("demo", "--run", tmp_path / "demo", "--json").out) == report()
    done = call("demo", "--run", tmp_path / "demo", "--images", 50, "--queries-per-pair", 7)
    assert "A run <of> ours" in done.out
    assert "All students saw the same 400 images." in done.err
    assert [(options.images, options.queries_per_pair) for options in seen] == [(300, 500), (50, 7)]
    call("demo", "--images", 9, expect=2)
