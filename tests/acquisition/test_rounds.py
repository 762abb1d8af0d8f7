"""Rounds: how a budget is divided, and that what is proposed is new, reproducible and of all kinds."""

import itertools
from dataclasses import replace

import pytest
import torch

from db3kd.acquisition import Choosers, Disagreement, Random, Rounds, Step, count_fresh, propose, set_aside
from db3kd.acquisition.duplicates import unlike
from db3kd.answers import Candidates, is_fresh
from db3kd.data import from_arrays
from db3kd.errors import PlanError
from db3kd.evaluation import interval
from db3kd.pools import ImagePool, Joined, Priors
from made_answers import NONE, PRIORS, SHAPE, add, answered, committee, seeded


def _propose(count: int, seed: int, *, pool: Priors = PRIORS, rounds: Rounds | None = None) -> Candidates:
    return propose(
        pool,
        answered(),
        Choosers(committee()),
        count,
        rounds=rounds or Rounds(),
        acquisition=Disagreement(),
        generator=seeded(seed),
    )


def _sizes(rounds: Rounds, budget: int, *, size: int | None = None) -> tuple[int, ...]:
    return tuple(step.size for step in rounds.steps(budget, size=size, channels=1))


def _ways(candidates: Candidates) -> set[str]:
    return {origin.partition("/")[0] if "/" in origin else "fresh" for origin in candidates.origins}


def test_rounds_spend_the_whole_budget_in_growing_steps() -> None:
    for rounds, size in ((Rounds(), None), (Rounds(), 10**6), (Rounds.of_pool(), 10**6), (Rounds.of_pool(), 1000)):
        for budget in (1, 7, 50, 1000, 99_999):
            sizes = _sizes(rounds, budget, size=size)
            assert sum(sizes) == budget
            assert min(sizes) > 0
    for budget in range(2, 9):
        # A committee of any kind can learn from what came before its first round.
        for rounds, size in ((Rounds(), None), (Rounds.of_pool(), 10**6)):
            steps = rounds.steps(budget, size=size, channels=1)
            assert sum(step.size for step in steps if step.way == "lot") == 2
    sizes = _sizes(Rounds(), 10_000)
    assert sizes[:4] == (250, 250, 500, 1000)
    assert list(sizes[4:]) == sorted(sizes[4:])
    assert len(sizes) == 8
    assert _sizes(Rounds(opening=1.0), 800) == (100, 100, 200, 400)
    assert _sizes(Rounds.once(), 800) == (800,)
    assert _sizes(Rounds.once(), 0) == ()
    assert Rounds().pairs(1000) == 25


def test_of_a_pool_some_are_set_aside_first_and_transformed_images_are_asked_about_before_anything_is_chosen() -> None:
    steps = Rounds.of_pool().steps(3000, size=60_000, channels=1)
    assert [(step.way, step.size) for step in steps[:3]] == [("aside", 150), ("lot", 520), ("views", 248)]
    assert {step.way for step in steps[3:]} == {"chosen"}
    assert len(steps) == 6
    large = Rounds.of_pool().steps(100_000, size=10**6, channels=3)
    assert [step.size for step in large[:3]] == [1000, 2000, 288]
    assert all(after.size > before.size for before, after in itertools.pairwise(large[3:]))
    # Tiny budgets ask about no transformed image.
    assert [step.way for step in Rounds.of_pool().steps(100, size=1000, channels=1)[:3]] == ["aside", "lot", "chosen"]


def test_where_half_a_pool_can_be_asked_about_nothing_is_chosen_unless_an_agreement_is_wanted() -> None:
    ways = [step.way for step in Rounds.of_pool().steps(500, size=1000, channels=1)]
    assert ways == ["aside", "lot", "views"]
    wanted = replace(Rounds.of_pool(), target_agreement=0.9).steps(500, size=1000, channels=1)
    assert wanted[-1].way == "chosen"


def test_what_no_rounds_can_be_is_named_at_once() -> None:
    with pytest.raises(PlanError, match=r"(?s)opening.*between.*halvings"):
        Rounds(opening=0.0, between=2.0, halvings=0)
    with pytest.raises(PlanError, match="number must be at least 1"):
        Rounds(opening=0.5, number=0)


def test_a_round_is_reproducible_new_and_of_all_kinds() -> None:
    asked, again, other = (_propose(40, seed) for seed in (5, 5, 6))
    assert torch.equal(asked.pixels, again.pixels)
    assert asked.origins == again.origins
    assert not torch.equal(asked.pixels, other.pixels)
    assert len(asked) == 40
    assert unlike(asked.pixels, answered().images.pixels).all()
    assert _ways(asked) == {"fresh", "recombined", "pushed"}
    assert _ways(_propose(40, 5, rounds=Rounds(pushed=False, candidates=4))) == {"fresh", "recombined"}
    assert _ways(_propose(40, 5, pool=Priors(SHAPE, children=0.0), rounds=Rounds(candidates=4))) == {"fresh"}


def test_a_run_is_opened_by_the_pool_alone() -> None:
    opened = propose(PRIORS, NONE, Choosers(), 20, rounds=Rounds(), acquisition=Disagreement(), generator=seeded(3))
    assert torch.equal(opened.pixels, PRIORS.draw(20, NONE, seeded(3)).pixels)


def test_without_a_committee_a_choice_that_needs_none_is_made_all_the_same() -> None:
    asked = propose(PRIORS, answered(), Choosers(), 40, rounds=Rounds(), acquisition=Random(), generator=seeded())
    assert len(asked) == 40
    assert _ways(asked) == {"fresh", "recombined"}


def test_a_data_set_is_looked_at_as_a_whole_and_asked_to_its_end() -> None:
    images = from_arrays(torch.rand(60, *SHAPE, generator=seeded()), torch.arange(60) % 4, name="some")
    pool, answers = ImagePool(images), NONE
    for _ in range(3):
        asked = propose(
            pool, answers, Choosers(committee()), 25, rounds=Rounds(), acquisition=Disagreement(), generator=seeded(1)
        )
        assert set(asked.origins) == {"images"}
        answers = add(answers, asked)
    assert len(answers) == 60
    assert set(answers.images.ids) == set(images.ids)
    assert not len(
        propose(pool, answers, Choosers(committee()), 5, rounds=Rounds(), acquisition=Random(), generator=seeded())
    )


def test_images_and_priors_together_are_both_asked_about() -> None:
    images = from_arrays(torch.rand(60, *SHAPE, generator=seeded()), name="some")
    pool = Joined([ImagePool(images), PRIORS])
    asked = propose(
        pool, answered(), Choosers(committee()), 40, rounds=Rounds(), acquisition=Disagreement(), generator=seeded(1)
    )
    assert {"images", "fresh"} <= {"images" if origin == "images" else "fresh" for origin in asked.origins}
    assert len(set(asked.named(200))) == 40


def test_candidates_are_no_more_than_fit_into_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    class Noting(Random):
        def choose(self, candidates, *rest):  # type: ignore[no-untyped-def]  # hands on what it gets
            seen.append(len(candidates))
            return super().choose(candidates, *rest)

    for most in (30, 1):
        monkeypatch.setattr("db3kd.pools.pool._MOST_BYTES", most * 256)
        propose(PRIORS, NONE, Choosers(), 10, rounds=Rounds(), acquisition=Noting(), generator=seeded())
    assert seen == [30, 20]


def test_a_committee_is_left_as_it_is() -> None:
    members = committee()
    before = [{name: value.clone() for name, value in member.state_dict().items()} for member in members]
    propose(PRIORS, answered(), Choosers(members), 20, rounds=Rounds(), acquisition=Disagreement(), generator=seeded())
    assert all(member.training for member in members)
    for member, kept in zip(members, before, strict=True):
        assert all(torch.equal(value, kept[name]) for name, value in member.state_dict().items())
        assert all(weight.requires_grad for weight in member.parameters())


def test_every_20th_fresh_answer_is_set_aside_whatever_the_steps() -> None:
    first = answered()
    more = PRIORS.draw(110, first, seeded(1))
    both = add(first, more)
    assert int(both.aside.sum()) == 15
    assert torch.equal(both.aside, set_aside(0, both.origins, 20))
    assert torch.equal(both.aside.nonzero()[:, 0], torch.arange(19, 310, 20))
    assert not set_aside(0, both.origins, 0).any()
    assert int(set_aside(19_960, ("shapes",) * 100, 20).sum()) == 2
    assert count_fresh(both) == 310


def test_children_of_other_images_are_never_set_aside() -> None:
    children = PRIORS.offspring(answered(), 200, seeded())
    origins = (*children.origins, *("mixture",) * 100, "shapes")
    assert set_aside(19, origins, 20).nonzero()[:, 0].tolist() == [300]
    assert not any(is_fresh(origin) for origin in origins[:300])


@pytest.mark.parametrize("by_lot", [True, False])
def test_a_raised_budget_sets_more_aside_and_goes_on_in_few_rounds(by_lot: bool) -> None:
    for rounds, first in ((Rounds.of_pool(), 10), (Rounds.of_pool(), 300), (Rounds(), 100)):
        known = rounds.steps(first, size=10**5, channels=1)
        more = rounds.further(known, 3000, size=10**5, channels=1, by_lot=by_lot)
        assert sum(step.size for step in (*known, *more)) == 3000
        assert sum(step.size for step in (*known, *more) if step.way == "aside") == 150
        assert {step.way for step in more} - {"views"} == {"aside", "lot" if by_lot else "chosen"}
        # As many transformed images as if it had been known from the beginning.
        views = sum(step.size for step in (*known, *more) if step.way == "views")
        assert views == sum(step.size for step in rounds.steps(3000, size=10**5, channels=1) if step.way == "views")
        assert len(more) < 15
    assert Rounds.of_pool().further(known, 100, size=10**5, channels=1, by_lot=by_lot) == ()


def test_what_choosing_left_of_a_pool_is_no_fair_sample_of_it() -> None:
    rounds, ways = Rounds.of_pool(), dict[int, set[str]]()
    known = rounds.steps(1900, size=4000, channels=1)
    chosen = sum(step.size for step in known if step.way == "chosen")
    for size in (4000, 20 * chosen):
        more = rounds.further(known, 3000, size=size, channels=1, by_lot=False)
        ways[size] = {step.way for step in more}
        assert sum(step.size for step in (*known, *more)) == 3000
    assert "aside" not in ways[4000]
    assert "aside" in ways[20 * chosen]


def test_a_target_has_answers_enough_set_aside_to_be_shown_or_says_what_it_takes() -> None:
    rounds = replace(Rounds.of_pool(), target_agreement=0.95)
    assert interval(1.0, rounds.shows_target)[0] >= 0.95 > interval(1.0, rounds.shows_target - 1)[0]
    enough = 4 * rounds.shows_target
    assert rounds.doubt(enough, size=10**4) == ""
    assert rounds.steps(enough, size=10**4, channels=1)[0] == Step("aside", rounds.shows_target)
    assert f"raise the budget to {enough} or more" in rounds.doubt(enough // 2, size=10**4)
    # Without images every twentieth answer is set aside.
    assert f"raise the budget to {20 * rounds.shows_target:,} or more" in rounds.doubt(enough, size=None)
    assert rounds.doubt(20 * rounds.shows_target, size=None) == ""
    assert "lower the target, since no more than 1,000" in replace(rounds, target_agreement=0.999).doubt(
        10**5, size=10**6
    )
    assert "aside_every" in replace(rounds, aside_every=0).doubt(10**5, size=10**6)
    assert Rounds.of_pool().doubt(50, size=10**4) == ""
