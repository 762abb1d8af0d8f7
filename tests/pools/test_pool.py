"""How many images are looked at: as many as fit into memory, and never fewer than a choice needs."""

import pytest

from db3kd.pools import Pool
from db3kd.pools.pool import most_looked_at
from made_answers import PRIORS


@pytest.mark.parametrize(
    ("bytes_per_image", "count", "looked_at"),
    [(1024, 1_000, 524_288), (1024, 262_144, 524_288), (1024, 300_000, 600_000), (3 * 2**28, 10, 20)],
)
def test_as_many_as_fit_and_two_for_each_question(bytes_per_image: int, count: int, looked_at: int) -> None:
    assert most_looked_at(bytes_per_image, count) == looked_at


def test_a_pool_is_known_by_what_it_can_do() -> None:
    assert isinstance(PRIORS, Pool)
    assert not isinstance([], Pool)
