"""The story without images, as whoever watches it hears it."""

from pathlib import Path

from db3kd.pipeline import Budget
from db3kd.pipeline.exploring import Exploring
from db3kd.pipeline.imitating import Imitation
from db3kd.pipeline.telling_dataless import DatalessStory, tell_without_data
from db3kd.runs import Run
from db3kd.synthesis.active import Rounds
from db3kd.training import Recipe
from known_teachers import Sectors

STUDENT = "made_networks:two_layers"
SHORT = Recipe("adam", 1e-2, epochs=2, batch_size=32)


def test_primers_are_heard_as_one_stage_that_ends_at_its_total(tmp_path: Path) -> None:
    heard: dict[str, list[tuple[int, int]]] = {}

    def hear(stage: str, done: int, total: int, unit: str) -> None:
        assert unit
        heard.setdefault(stage, []).append((done, total))

    exploring = Exploring(60, Rounds(number=1), STUDENT, networks=2, teaching=3, recipe=SHORT, patience=0)
    story = DatalessStory(
        teacher=Sectors(shape=(1, 8, 8), classes=3),
        exploring=exploring,
        imitation=Imitation(STUDENT, SHORT, candidates=64),
        held_out=None,
        budget=Budget(total=60),
        teacher_name="sectors",
    )
    with Run(tmp_path) as run:
        tell_without_data(run, story, progress=hear)
    assert {"explore", "primers of round 4", "the student's primers", "train student"} <= set(heard)
    assert heard["the student's primers"][-1] == (6, 6)
    assert all(done <= total for stage in heard.values() for done, total in stage)
    assert all(stage[-1][0] == stage[-1][1] for stage in heard.values())
