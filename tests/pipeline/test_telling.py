"""The story as a whole: a student learns from what was bought, and a story that cannot end is not begun."""

from dataclasses import replace
from pathlib import Path

import pytest

from db3kd.boundary.methods import BoundaryDistance
from db3kd.data import from_arrays
from db3kd.errors import InputError
from db3kd.execution import Labelling
from db3kd.pipeline import Distillation, Priming, Story, tell
from db3kd.pipeline.story import Beside
from db3kd.pipeline.supplement import Supplement
from db3kd.pipeline.telling import check, teach
from db3kd.runs import Run
from db3kd.training import Recipe
from known_teachers import Counting, Sectors
from made_transfers import made_transfer
from questions import draw_images

STUDENT = "made_networks:two_layers"
QUICK = Recipe("adam", 1e-2, epochs=2, batch_size=16)
DISTILLATION = Distillation(STUDENT, QUICK, baselines=())
PRIMING = Priming(QUICK, STUDENT, networks=2, subspace=4)
MIXTURES: tuple[Beside, ...] = ("mixtures",)
PROBES: tuple[Beside, ...] = ("probes",)


def _story(distillation: Distillation, priming: Priming | None = None, *, keep_probes: int = 0) -> Story:
    return Story(
        teacher=Counting(Sectors()),
        images=from_arrays(draw_images(Sectors(), 20), name="drawn"),
        held_out=None,
        labelling=Labelling(BoundaryDistance(exemplars=1), 20, keep_probes=keep_probes),
        distillation=distillation,
        priming=priming,
    )


@pytest.mark.parametrize(
    ("story", "fault", "way_out"),
    [
        (_story(DISTILLATION.softened_by("primers")), "needs primers", "primer.networks"),
        (_story(replace(DISTILLATION, beside=MIXTURES)), "needs mixtures", "primer.networks"),
        (
            _story(replace(DISTILLATION, beside=MIXTURES), replace(PRIMING, mixtures_per_image=0.0)),
            "needs mixtures",
            "primer.mixtures_per_image",
        ),
        (_story(replace(DISTILLATION, beside=PROBES), PRIMING), "needs points", "label.keep_probes"),
        (_story(replace(DISTILLATION, beside=(*MIXTURES, *PROBES)), PRIMING), "needs points", "label.keep_probes"),
    ],
    ids=["primers", "mixtures", "no-mixtures", "probes", "both"],
)
def test_a_student_that_is_to_learn_from_what_will_not_be_there_is_refused_before_a_query(
    tmp_path: Path, story: Story, fault: str, way_out: str
) -> None:
    with Run(tmp_path) as run, pytest.raises(InputError, match=rf"{fault}.* nothing was asked: set .*{way_out}"):
        tell(run, story)
    assert isinstance(story.teacher, Counting)
    assert story.teacher.rows == 0


def test_a_student_may_learn_from_all_that_a_story_makes(tmp_path: Path) -> None:
    asked = replace(DISTILLATION.softened_by("primers"), beside=(*MIXTURES, *PROBES))
    with Run(tmp_path) as run:
        report = tell(run, _story(asked, PRIMING, keep_probes=10))
    assert [figures.name for figures in report.students] == ["bd"]
    # What primers learn without mixtures, they teach as well.
    check(_story(DISTILLATION.softened_by("primers"), replace(PRIMING, mixtures_per_image=0.0)))


def test_a_supplement_that_was_read_already_is_not_read_again(tmp_path: Path) -> None:
    transfer = made_transfer()
    asked = replace(DISTILLATION, beside=MIXTURES)
    read = Supplement((from_arrays(transfer.images.pixels, name="read before"),), (transfer.decisions,))
    with Run(tmp_path) as run:
        with pytest.raises(InputError, match="holds no mixtures"):
            teach(run, transfer, asked)
        assert list(teach(run, transfer, asked, supplement=read)) == ["bd"]
