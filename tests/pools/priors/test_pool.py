"""The pool of made images: the procedural families alone ask what they always asked, and all of them ask more."""

import hashlib

import pytest
import torch

from db3kd.pools import BoundaryPairs, Priors
from db3kd.pools.priors import FAMILIES, PROCEDURAL, Family
from db3kd.pools.priors.shares import family_shares, worth_of_each
from made_answers import NONE, SHAPE, add, of_families, seeded


def test_procedural_families_alone_draw_what_they_drew_before_there_were_pictures() -> None:
    drawn = Priors(SHAPE, families="procedural").draw(300, NONE, seeded())
    # Of the tree before pictures were added, where these families were all there are.
    digest = hashlib.sha256(drawn.pixels.numpy().tobytes() + "".join(drawn.origins).encode()).hexdigest()
    assert digest == "e51cc4248f7ba4137405b163c1d1d3720425a2261255706d2334d8809a26bd67"
    assert Priors(SHAPE, families="procedural").key["families"] == [family.name for family in PROCEDURAL]


def test_children_and_pairs_of_procedural_images_are_what_they_were_before_there_were_pictures() -> None:
    pool, digest, answers = Priors(SHAPE, families="procedural"), hashlib.sha256(), NONE
    for seed in range(4):
        some = [pool.draw(200, answers, seeded(seed))]
        some += [pool.offspring(answers, 200, seeded(seed))] if seed else []
        for made in some:
            digest.update(made.pixels.numpy().tobytes() + "".join(made.origins).encode())
            answers = add(answers, made)
        digest.update(BoundaryPairs(answers, 20, seeded(seed)).propose().pixels.numpy().tobytes())
    assert digest.hexdigest() == "b31a67f50b2f5bad6f487efa8ccd8b87c17d590ea804f5a4114dc690a658a93d"


@pytest.mark.parametrize(("pool", "families"), [(Priors(SHAPE), PROCEDURAL), (Priors(SHAPE, families="all"), FAMILIES)])
def test_pictures_are_drawn_where_it_is_said(pool: Priors, families: tuple[Family, ...]) -> None:
    assert set(pool.draw(2000, NONE, seeded()).origins) == {family.name for family in families}


def test_a_run_without_pictures_is_not_gone_on_with_by_one_with_pictures() -> None:
    assert Priors(SHAPE).key == Priors(SHAPE, families="procedural").key != Priors(SHAPE, families="all").key


def test_a_parent_is_worth_its_share_of_the_families_that_were_asked_about() -> None:
    for families in (PROCEDURAL, FAMILIES):
        names = tuple(family.name for family in families)
        answers = of_families(names * 20, torch.arange(20 * len(names)) % 4)
        shares = family_shares(answers, names)
        assert worth_of_each(answers)[: len(names)].tolist() == pytest.approx(shares.tolist())
