"""What a run brought is printed: a report, or what was bought so far."""

from pathlib import Path

import pytest

from command_line import TEACHER, Caller, settings
from db3kd.cli.results import print_report
from db3kd.report.schema import from_json
from db3kd.runs import Run
from made_report import full_report

BD = ("label", *TEACHER, "--search", "bd", *settings(search__exemplars=3, search__queries_per_pair=60))


def test_what_label_was_charged_again_is_said(
    call: Caller, images: str, log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ("label", *TEACHER, "--images", images)
    assert "charged again" not in call(*asked, "--run", tmp_path / "well").out
    monkeypatch.setenv("LOGGED_LOSES", "once")
    assert "25 in all, of these charged again" in call(*asked, "--run", tmp_path / "run").out


def test_a_report_is_printed_as_tables_with_its_notes_beside(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Run(tmp_path) as run:
        print_report(run, full_report(), as_json=False)
    printed = capsys.readouterr()
    for part in ("lenet5-half from", "what the teacher answered", "what the teacher minds", "1,010"):
        assert part in printed.out
    assert f"report: {tmp_path / 'report.json'}" in printed.err, "where there is no page"
    assert "nothing is known but its answers" in printed.err
    with Run(tmp_path) as run:
        run.put("report.html", b"<html>")
        print_report(run, full_report(), as_json=False)
    assert f"report: {tmp_path / 'report.html'}" in capsys.readouterr().err


def test_as_json_a_report_is_all_of_stdout(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Run(tmp_path) as run:
        print_report(run, full_report(), as_json=True)
    printed = capsys.readouterr()
    assert from_json(printed.out) == full_report()
    assert "nothing is known but its answers" in printed.err


def test_of_very_many_classes_no_table_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = full_report()
    assert whole.asking is not None
    many = whole.asking.model_copy(update={"class_histogram": (1,) * 31})
    with Run(tmp_path) as run:
        print_report(run, whole.model_copy(update={"asking": many}), as_json=False)
    assert "what the teacher answered" not in capsys.readouterr().out
