"""Where the search wants a committee, one learns from the noise before any of it is pushed."""

from dataclasses import replace
from pathlib import Path

from db3kd.boundary import BoundaryDistance
from db3kd.pipeline.story import Pushed
from made_runs import Small, push_noise, spent, stories


def test_a_committee_learns_from_the_noise_and_guides_the_search(tmp_path: Path) -> None:
    teacher = Small()
    pushed = stories(teacher)["pushed by a committee"].pool
    assert isinstance(pushed, Pushed)
    made = push_noise(tmp_path / "guided", teacher, pushed)
    assert (tmp_path / "guided/noise-committee/00001.safetensors").exists()
    bare = push_noise(tmp_path / "bare", Small(), replace(pushed, committee=None))
    assert made.answers.digest != bare.answers.digest
    assert teacher.rows == spent(tmp_path / "guided")
    # What searches without a guide needs no committee.
    unguided = replace(pushed, repulsion=replace(pushed.repulsion, method=BoundaryDistance(exemplars=2)))
    push_noise(tmp_path / "unguided", Small(), unguided)
    assert not (tmp_path / "unguided/noise-committee").exists()
