"""What a run has bought is read back without its plan."""

from pathlib import Path

import pytest
import torch

from db3kd.errors import ArtifactError, RunError
from db3kd.pipeline.ask_again import kept_repeats
from db3kd.pipeline.kept import kept_answers, kept_bought
from db3kd.runs import Keeper, Run
from made_runs import Small, stories, told

KINDS = ["images", "guided", "rounds", "pushed"]


@pytest.mark.parametrize("kind", KINDS)
def test_all_that_was_bought_comes_back(tmp_path: Path, kind: str) -> None:
    purchase, _ = told(stories(Small())[kind], tmp_path)
    bought, kept = purchase.bought, kept_bought(Keeper(Run(tmp_path)))
    assert kept.digest == bought.digest
    assert kept.answers.origins == bought.answers.origins
    assert len(kept.committee) == len(bought.committee)
    if bought.distances is not None:
        assert kept.distances is not None
        assert kept.distances.ids == bought.distances.ids
        assert kept.distances.method == bought.distances.method
        assert torch.equal(kept.distances.distances, bought.distances.distances)
    assert kept_repeats(Keeper(Run(tmp_path))) == purchase.repeats


def test_a_run_without_answers_is_told_and_an_edited_one_as_well(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no finished answers"):
        kept_answers(Keeper(Run(tmp_path)))
    told(stories(Small())["images"], tmp_path)
    file = tmp_path / "answers/00000.safetensors"
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(ArtifactError, match=r"answers/00000\.safetensors"):
        kept_answers(Keeper(Run(tmp_path)))
