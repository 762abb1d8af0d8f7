from pathlib import Path

import pytest

from db3kd.demo import DemoOptions, demonstrate
from db3kd.report.schema import from_json
from db3kd.runs import Keeper, Run

SMALL = DemoOptions(
    images=30, queries_per_pair=30, teacher_epochs=2, student_epochs=2, seeds=(0, 1), seen=300, pool_epochs=1
)


@pytest.mark.slow
def test_the_demo_reports_every_row_and_is_only_read_the_second_time(tmp_path: Path) -> None:
    with Run(tmp_path / "demo") as run:
        report = demonstrate(Keeper(run), SMALL)
        written = (run.folder / "report.json").read_bytes()
        assert demonstrate(Keeper(run), SMALL) == report
        assert from_json(written.decode()) == report
        page = (run.folder / "report.html").read_text()
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
