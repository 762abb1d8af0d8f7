"""The rounds without a pipeline: what is proposed is new, balanced, reproducible, and worth asking."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from db3kd.errors import PlanError
from db3kd.models import build
from db3kd.synthesis.active import Rounds, choose, open_with
from db3kd.synthesis.answers import BISECTED, KINDS, PUSHED, RECOMBINED, Answers, Questions, no_answers
from db3kd.synthesis.between import BoundaryPairs
from db3kd.synthesis.candidates import family_shares, recombined, supply
from db3kd.synthesis.choosing import balanced_choice, disagreement, draw_lots, unlike
from db3kd.synthesis.priors import FAMILIES
from db3kd.synthesis.pushing import push
from db3kd.tensors import Float, Int, Tensor

_SHAPE = (1, 16, 16)


def _decide(questions: Questions) -> Int[Tensor, " n"]:
    """Four classes by where the brightness lies and how much there is; the last one is rare."""
    images = questions.images()[:, 0]
    side = (images[:, :, :8].mean(dim=(1, 2)) > images[:, :, 8:].mean(dim=(1, 2))).long()
    level = images.mean(dim=(1, 2))
    return torch.where(level < 0.02, 3, torch.where(level > 0.8, 2, side))


def _answered(count: int = 400, seed: int = 0) -> Answers:
    answers = no_answers(_SHAPE, 4)
    questions = open_with(answers, count, seed=seed)
    return answers.joined(questions, _decide(questions))


def _primers() -> list[nn.Module]:
    return [build("lenet5-fifth", _SHAPE, 4, seed=seed) for seed in (1, 2)]


def test_nothing_is_thrown_away_and_positions_stay() -> None:
    first = _answered()
    more = open_with(first, 100, seed=1)
    both = first.joined(more, _decide(more))
    assert len(both) == 500
    assert torch.equal(both.questions.pixels[:400], first.questions.pixels)
    assert torch.equal(both.apart()[:400], first.apart())
    assert int(both.apart().sum()) == 25
    with pytest.raises(PlanError, match="from 0 to 3"):
        first.joined(more, torch.full((100,), 4))


def test_children_of_other_images_are_never_kept_apart() -> None:
    answers = _answered()
    children = recombined(answers, 200, torch.Generator().manual_seed(0))
    assert not answers.joined(children, _decide(children)).apart()[400:].any()


def test_a_family_of_rare_and_diverse_answers_is_painted_more_often() -> None:
    kinds = torch.arange(len(FAMILIES)).repeat_interleave(100)
    decisions = torch.zeros(len(kinds), dtype=torch.int64)
    decisions[kinds == 5] = torch.arange(100) % 4
    answers = Answers(Questions(torch.zeros(len(kinds), *_SHAPE, dtype=torch.uint8), kinds, kinds), decisions, 4)
    shares = family_shares(answers)
    assert shares.sum() == pytest.approx(1.0)
    assert shares.argmax() == 5
    assert shares.min() > 0.1 / len(FAMILIES)
    even = family_shares(no_answers(_SHAPE, 4))
    assert torch.allclose(even, torch.full_like(even, 1 / len(FAMILIES)))


def test_a_family_that_alone_shows_a_class_is_painted_no_more_than_balances_the_classes() -> None:
    kinds = torch.arange(len(FAMILIES)).repeat_interleave(1000)
    decisions = torch.zeros(len(kinds), dtype=torch.int64)
    decisions[kinds == 7] = 3
    answers = Answers(Questions(torch.zeros(len(kinds), *_SHAPE, dtype=torch.uint8), kinds, kinds), decisions, 4)
    shares = family_shares(answers)
    assert shares.argmax() == 7
    assert 0.4 < shares[7] < 0.6


def test_rounds_spend_the_whole_budget_in_growing_steps() -> None:
    for budget in (1, 7, 1000, 99_999):
        sizes = Rounds().sizes(budget)
        assert sum(sizes) == budget
        assert min(sizes) > 0
    sizes = Rounds().sizes(10_000)
    assert sizes[:4] == (250, 250, 500, 1000)
    assert list(sizes[4:]) == sorted(sizes[4:])
    assert len(sizes) == 8
    assert Rounds(opening=1.0).sizes(800) == (100, 100, 200, 400)


def test_what_no_rounds_can_be_is_named_at_once() -> None:
    with pytest.raises(PlanError, match=r"between.*children.*opening"):
        Rounds(opening=0.0, between=2.0, children=-1.0)


def test_a_round_is_reproducible_new_and_of_all_kinds() -> None:
    answers, primers = _answered(), _primers()
    asked = choose(answers, primers, 200, rounds=Rounds(), seed=5)
    again = choose(answers, primers, 200, rounds=Rounds(), seed=5)
    other = choose(answers, primers, 200, rounds=Rounds(), seed=6)
    assert torch.equal(asked.pixels, again.pixels)
    assert not torch.equal(asked.pixels, other.pixels)
    assert len(asked) == 200
    assert unlike(asked.pixels, answers.questions.pixels).all()
    assert {RECOMBINED, PUSHED} <= set(asked.kinds.tolist())
    assert bool((asked.kinds < len(FAMILIES)).any())
    unpushed = choose(answers, primers, 200, rounds=Rounds(pushed=False, children=0.0), seed=5)
    assert not ({RECOMBINED, PUSHED} & set(unpushed.kinds.tolist()))


def test_primers_are_left_as_they_are() -> None:
    primers = _primers()
    before = [{name: value.clone() for name, value in primer.state_dict().items()} for primer in primers]
    choose(_answered(), primers, 50, rounds=Rounds(), seed=0)
    assert all(primer.training for primer in primers)
    for primer, kept in zip(primers, before, strict=True):
        assert all(torch.equal(value, kept[name]) for name, value in primer.state_dict().items())
        assert all(weight.requires_grad for weight in primer.parameters())


def test_disagreement_is_high_where_sure_primers_differ_and_zero_where_all_are_unsure() -> None:
    beliefs = torch.tensor([[[1.0, 0.0], [0.5, 0.5], [1.0, 0.0]], [[0.0, 1.0], [0.5, 0.5], [1.0, 0.0]]])
    assert torch.allclose(disagreement(beliefs), torch.tensor([0.6931, 0.0, 0.0]), atol=1e-3)


def test_a_choice_is_balanced_and_prefers_what_is_worth_more() -> None:
    generator = torch.Generator().manual_seed(0)
    classes = torch.tensor([0] * 900 + [1] * 90 + [2] * 10)
    worth = torch.rand(1000, generator=generator)
    lots = draw_lots(worth, generator)
    chosen = balanced_choice(classes, lots, 130, 3)
    assert torch.bincount(classes[chosen]).tolist() == [60, 60, 10]
    assert len(torch.unique(chosen)) == 130
    assert worth[chosen[classes[chosen] == 0]].mean() > 0.6
    assert len(balanced_choice(classes, lots, 5000, 3)) == 1000


@settings(max_examples=100, deadline=None)
@given(
    chances=st.lists(st.floats(0.01, 1), min_size=1, max_size=5),
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=6),
    count=st.integers(1, 60),
    seed=st.integers(0, 1000),
)
def test_a_choice_part_by_part_is_that_of_all_candidates_at_once(
    chances: list[float], sizes: list[int], count: int, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    classes = torch.multinomial(torch.tensor(chances), sum(sizes), replacement=True, generator=generator)
    lots = torch.rand(len(classes), generator=generator)
    kept = torch.zeros(0, dtype=torch.int64)
    for part in torch.arange(len(classes)).split(sizes):
        seen = torch.cat([kept, part])
        kept = seen[balanced_choice(classes[seen], lots[seen], count, len(chances))]
    assert torch.equal(kept, balanced_choice(classes, lots, count, len(chances)))


def test_a_round_of_many_parts_is_as_new_and_of_as_many_kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    answers, primers = _answered(), _primers()
    monkeypatch.setattr("db3kd.synthesis.active._PART", 300)
    asked = choose(answers, primers, 200, rounds=Rounds(), seed=5)
    again = choose(answers, primers, 200, rounds=Rounds(), seed=5)
    assert len(asked) == 200
    assert torch.equal(asked.pixels, again.pixels)
    assert unlike(asked.pixels, answers.questions.pixels).all()
    assert {RECOMBINED, PUSHED} <= set(asked.kinds.tolist())


def test_near_duplicates_are_told_from_what_is_new() -> None:
    known = open_with(no_answers(_SHAPE, 4), 50, seed=0).pixels
    # The uniform grounds of some families may be alike by themselves.
    known = known[unlike(known, known[:0])]
    new = open_with(no_answers(_SHAPE, 4), 50, seed=1).pixels
    assert not unlike(known, known).any()
    assert unlike(new, known).float().mean() > 0.9
    twice = torch.cat([new, new])
    assert not unlike(twice, known)[len(new) :].any()


def test_children_have_parents_of_all_classes_alike() -> None:
    # One answer of a hundred is of class 1, and half of the children look like it.
    pixels = torch.zeros(100, *_SHAPE, dtype=torch.uint8)
    pixels[0] = 255
    decisions = torch.zeros(100, dtype=torch.int64)
    decisions[0] = 1
    family = torch.zeros(100, dtype=torch.int64)
    answers = Answers(Questions(pixels, family, family), decisions, 2)
    children = recombined(answers, 400, torch.Generator().manual_seed(0)).images()
    assert 0.3 < (children.mean(dim=(1, 2, 3)) > 0.3).float().mean() < 0.75


def test_the_supply_never_repeats_and_costs_no_answer() -> None:
    generator = torch.Generator().manual_seed(0)
    first, second = (supply(_answered(), 100, generator) for _ in range(2))
    assert len(first) == len(second) == 100
    assert not torch.equal(first.pixels, second.pixels)
    assert len(supply(no_answers(_SHAPE, 4), 30, generator)) == 30


def test_pairs_close_in_on_the_boundary() -> None:
    answers = _answered()
    pairs = BoundaryPairs(answers, 60, torch.Generator().manual_seed(0))
    gaps = []
    for _ in range(6):
        asked = pairs.propose()
        gaps.append((pairs.ends[1] - pairs.ends[0]).flatten(1).norm(dim=1).mean())
        assert set(asked.kinds.tolist()) == {BISECTED}
        pairs.observe(_decide(asked))
    assert gaps[-1] == pytest.approx(float(gaps[0]) / 32, rel=0.01)
    none = torch.zeros(len(pairs), dtype=torch.int64)
    low, high = (Questions((end * 255).round().to(torch.uint8), none, none) for end in pairs.ends)
    assert (_decide(low) != _decide(high)).float().mean() > 0.9


def test_one_class_alone_has_no_pairs() -> None:
    answers = _answered()
    alone = Answers(answers.questions, torch.zeros_like(answers.decisions), 4)
    pairs = BoundaryPairs(alone, 60, torch.Generator().manual_seed(0))
    assert len(pairs) == 0
    assert len(pairs.propose()) == 0


class _Bright(nn.Module):
    """Class 1 where an image is bright, as a network whose gradient is known."""

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b num_classes"]:
        level = images.mean(dim=(1, 2, 3))
        return torch.stack([-level, level], dim=1)


def test_a_push_goes_where_the_primers_say() -> None:
    none = torch.zeros(4, dtype=torch.int64)
    start = Questions(torch.full((4, *_SHAPE), 128, dtype=torch.uint8), none, none)
    pushed = push([_Bright()], start, torch.tensor([0, 0, 1, 1]))
    levels = pushed.pixels.float().mean(dim=(1, 2, 3))
    assert (levels[:2] < 128 - 60).all()
    assert (levels[2:] > 128 + 60).all()
    assert [KINDS[kind] for kind in pushed.kinds] == ["pushed"] * 4


def test_a_push_towards_disagreement_raises_it() -> None:
    primers = _primers()
    start = open_with(no_answers(_SHAPE, 4), 32, seed=0)
    pushed = push(primers, start, torch.full((32,), -1))

    def apart(pixels: Tensor) -> float:
        images = pixels.float() / 255
        with torch.inference_mode():
            return float(disagreement(torch.stack([primer(images).softmax(1) for primer in primers])).mean())

    assert apart(pushed.pixels) > apart(start.pixels)
