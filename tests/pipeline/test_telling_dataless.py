"""The story without images, as whoever watches it hears it."""

from dataclasses import replace
from pathlib import Path

from db3kd.pipeline import Budget
from db3kd.pipeline.estimate import estimate_exploring
from db3kd.pipeline.exploring import Exploring
from db3kd.pipeline.imitating import Imitation
from db3kd.pipeline.telling_dataless import DatalessStory, tell_without_data
from db3kd.runs import Run
from db3kd.synthesis.active import Rounds
from db3kd.teachers import Teacher
from db3kd.training import Recipe
from known_teachers import Liar, Sectors

STUDENT = "made_networks:two_layers"
SHORT = Recipe("adam", 1e-2, epochs=2, batch_size=32)


def _story(teacher: Teacher, budget: Budget) -> DatalessStory:
    exploring = Exploring(60, Rounds(number=1), STUDENT, networks=2, teaching=3, recipe=SHORT, patience=0)
    return DatalessStory(teacher, exploring, Imitation(STUDENT, SHORT, candidates=64), budget=budget)


def test_primers_are_heard_as_one_stage_that_ends_at_its_total(tmp_path: Path) -> None:
    heard: dict[str, list[tuple[int, int]]] = {}

    def hear(stage: str, done: int, total: int, unit: str) -> None:
        assert unit
        heard.setdefault(stage, []).append((done, total))

    story = _story(Sectors(shape=(1, 8, 8), classes=3), Budget(total=60))
    with Run(tmp_path) as run:
        tell_without_data(run, story, progress=hear)
    assert {"explore", "primers of round 4", "the student's primers", "train student"} <= set(heard)
    assert heard["the student's primers"][-1] == (6, 6)
    assert all(done <= total for stage in heard.values() for done, total in stage)
    assert all(stage[-1][0] == stage[-1][1] for stage in heard.values())


def test_a_teacher_that_is_not_constant_shows_where_the_budget_leaves_queries_to_see_it(tmp_path: Path) -> None:
    story = _story(Liar(), Budget(total=100, repeats=16))
    with Run(tmp_path / "more") as run:
        assert [
            (stage.stage, stage.ahead) for stage in estimate_exploring(run, story.exploring, budget=story.budget)
        ] == [
            ("explore", 60),
            ("repeats", 16),
        ]
        report = tell_without_data(run, story)
        assert run.statement().by_stage == {"explore": 60, "repeats": 16}
        assert tell_without_data(run, story).queries == report.queries
    assert report.queries.repeated == 16
    assert "not constant" in report.notes[0]
    constant = Sectors(shape=(1, 8, 8), classes=3, levels=4)
    with Run(tmp_path / "levels") as run:
        report = tell_without_data(run, replace(story, teacher=constant))
    assert (report.queries.repeated, report.queries.changed, report.notes) == (16, 0, ())
    with Run(tmp_path / "none") as run:
        # Without a total, no more is asked than the rounds were to ask.
        report = tell_without_data(run, replace(story, budget=Budget(repeats=16)))
        # A budget that is raised afterwards is not touched: this run is done.
        assert tell_without_data(run, story).queries == report.queries
    assert (report.queries.total, report.queries.repeated, report.notes) == (60, None, ())
