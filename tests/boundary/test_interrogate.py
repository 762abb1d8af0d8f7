"""The driver hands on what rows leave over, where it is told to."""

from db3kd.boundary import GuidedDistance, Outcome, interrogate
from known_teachers import Sectors
from questions import ask, question

# Rows that give up soon.
HASTY = GuidedDistance(directions=5, patience=2)


def test_what_a_row_leaves_over_goes_to_the_nearest_row_of_its_image() -> None:
    asked = question(Sectors(classes=4), count=3)
    pairs = asked.pairs()
    cap = 150
    search = HASTY.search(pairs, asked.pool, asked.teacher.spec)
    single = ask(asked, HASTY, queries=cap)
    shared = interrogate(asked.teacher, search, queries_per_pair=cap, share_leftovers=True).crossings
    ended = single.outcomes != Outcome.BUDGET
    assert ended.any()
    assert not ended.all()
    for image in range(3):
        rows = (pairs.image_of == image).nonzero()[:, 0]
        assert shared.queries[rows].sum() <= cap * len(rows)
        going = rows[~ended[rows]]
        if len(going) and ended[rows].any():
            nearest = going[single.distances[going].argmin()]
            assert shared.queries[nearest] > cap
            assert shared.distances[nearest] <= single.distances[nearest]
