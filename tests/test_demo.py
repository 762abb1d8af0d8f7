from pathlib import Path

import pytest

from command_line import Caller
from db3kd.demo import DemoOptions
from db3kd.report.schema import from_json

SMALL = DemoOptions(
    images=30, queries_per_pair=30, teacher_epochs=2, student_epochs=2, seeds=(0, 1), seen=300, pool_epochs=1
)


@pytest.mark.slow
def test_the_demo_reports_every_row_and_is_only_read_the_second_time(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    call, folder = Caller(capsys), tmp_path / "demo"
    monkeypatch.setattr("db3kd.cli.demo.DemoOptions", lambda images, queries_per_pair: SMALL)
    assert "learned from" in call("demo", "--run", folder).out
    report = from_json((folder / "report.json").read_text())
    page = (folder / "report.html").read_text()
    # Whoever asked or trained now would fail.
    monkeypatch.setattr("db3kd.oracle.Oracle.answers", None)
    monkeypatch.setattr("db3kd.pipeline.learn.fit", None)
    assert from_json(call("demo", "--run", folder, "--json").out) == report
    names = [student.name for student in report.students]
    baselines = ["true-labels", "hard-decisions", "smoothed-decisions", "logits"]
    assert names == [*baselines, "sd", "bd", "mbd", "guided", "opinions", "true-labels-all"]
    assert {student.images for student in report.students[:-2]} == {30}
    assert [student.images for student in report.students[-2:]] == [4000, 4000]
    assert report.queries.total == sum(report.queries.by_stage.values())
    spent = {student.name: student.queries for student in report.students}
    assert spent["sd"] == spent["opinions"] == 30
    stages = ("answers", "mixtures", "distances")
    assert spent["guided"] == sum(report.queries.by_stage[f"guided: {stage}"] for stage in stages)
    assert report.committee is not None
    assert spent["mbd"] == 30 + report.queries.by_stage["mbd: distances"]
    assert [one.method for one in report.distances] == ["sd", "bd", "mbd", "guided"]
    assert "data:image/png" in page
    assert "minimal boundary distance" in page
