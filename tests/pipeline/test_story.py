"""A story knows whether it has true labels, and whether it needs a committee in the end."""

from dataclasses import replace

import pytest

from db3kd.pipeline.story import CommitteeLesson, FixedLesson, has_labels
from db3kd.pools import ImagePool, Joined, Priors
from db3kd.softening import Opinions
from made_runs import BD, GUIDED, MEMBERS, PUSHED, SHAPE, Small, images, story


def test_labels_are_there_where_all_images_have_one() -> None:
    labelled, bare = ImagePool(images(labelled=True)), ImagePool(images(name="bare"))
    assert has_labels(labelled)
    assert has_labels(Joined((labelled, ImagePool(images(labelled=True, name="more")))))
    for pool in (bare, Joined((labelled, bare)), Joined((labelled, Priors(SHAPE))), Priors(SHAPE), PUSHED):
        assert not has_labels(pool)


@pytest.mark.parametrize(
    ("changes", "needed"),
    [
        ({}, False),
        ({"measurement": BD}, False),
        ({"measurement": GUIDED}, True),
        ({"lesson": FixedLesson(Opinions())}, True),
        ({"lesson": CommitteeLesson()}, True),
    ],
)
def test_a_committee_is_trained_in_the_end_for_those_who_listen_to_it(changes: dict[str, object], needed: bool) -> None:
    described = story(Small(), committee=MEMBERS, **changes)
    assert described.has_members == needed
    assert not replace(described, committee=None).has_members
