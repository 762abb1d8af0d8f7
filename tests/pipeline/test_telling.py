"""The story as a whole: students learn from what was bought, and a story that cannot end is not begun."""

from pathlib import Path

import pytest

from db3kd.data import from_arrays
from db3kd.errors import InputError
from db3kd.pipeline import Distillation
from db3kd.pipeline.supplement import Supplement
from db3kd.pipeline.telling import teach
from db3kd.runs import Run
from db3kd.training import Recipe
from made_transfers import made_transfer

STUDENT = "made_networks:two_layers"
QUICK = Recipe("adam", 1e-2, epochs=2, batch_size=16)


def test_a_supplement_that_was_read_already_is_not_read_again(tmp_path: Path) -> None:
    transfer = made_transfer()
    asked = Distillation(STUDENT, QUICK, beside=("mixtures",), baselines=())
    more = from_arrays(transfer.images.pixels.flip(0), name="read before")
    with Run(tmp_path) as run:
        with pytest.raises(InputError, match="holds no mixtures"):
            teach(run, transfer, asked)
        assert list(teach(run, transfer, asked, supplement=Supplement((more,), (transfer.decisions.flip(0),)))) == [
            "bd"
        ]
