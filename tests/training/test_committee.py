"""What a committee learns: decided answers that were not set aside, rare classes counting as much as frequent ones."""

import pytest
import torch

from db3kd.answers import Answers
from db3kd.data import Dataset, from_arrays
from db3kd.errors import PlanError
from db3kd.training import Committee, choosing_recipe, lesson_of, member_seed, teaching_recipe
from db3kd.training.committee import pool_lesson, usually_seen
from made_answers import CLASSES, SHAPE, of_families, seeded


def test_a_committee_sees_no_answer_that_was_set_aside_nor_an_abstention() -> None:
    answers = of_families(("strokes",) * 40, torch.arange(40) % (CLASSES + 1))
    material = lesson_of(answers)
    rows = answers.learned()
    assert 0 < len(rows) <= 32
    assert torch.equal(material.pixels, answers.images.pixels[rows])
    assert material.objective.labels is not None
    assert torch.equal(material.objective.labels, answers.decisions[rows])
    assert material.objective.offsets is not None
    assert material.objective.offsets.exp().sum().item() == pytest.approx(1)


def _chosen_from(pool: Dataset) -> Answers:
    """Of class 0, 1 and 2: 6, 4 and 0 set aside, 12, 4 and 0 by lot, 2, 16 and 0 chosen, 0, 0 and 2 transformed."""
    counts = {"aside": (6, 4, 0), "images": (12, 4, 0), "chosen/images": (2, 16, 0), "mirror/images": (0, 0, 2)}
    ways = [way for way, some in counts.items() for _ in range(sum(some))]
    decisions = [label for some in counts.values() for label, count in enumerate(some) for _ in range(count)]
    aside = torch.tensor([way == "aside" for way in ways])
    origins = tuple("images" if way == "aside" else way for way in ways)
    return Answers(pool.subset(torch.arange(len(ways))), torch.tensor(decisions), origins, 3, aside)


def test_a_pool_teaches_by_what_is_not_set_aside_as_often_as_it_has_each_class() -> None:
    pool = from_arrays(torch.randint(0, 256, (60, *SHAPE), dtype=torch.uint8, generator=seeded()))
    answers = _chosen_from(pool)
    material = pool_lesson(answers, pool, for_each=3, images_per_epoch=7)
    assert torch.equal(material.pixels, pool.pixels[10:46])
    assert material.objective.labels is not None
    assert torch.equal(material.objective.labels, answers.decisions[10:])
    assert material.unasked is not None
    assert material.unasked.rows.tolist() == list(range(10, 60)), "also what was asked, but nothing set aside"
    # One more of each class, so that none is nothing; by lot, since what was chosen is not as frequent in the pool.
    by_lot, learned = torch.tensor([13.0, 5.0, 1.0]) / 19, torch.tensor([15.0, 21.0, 3.0]) / 39
    assert torch.allclose(material.unasked.shares, by_lot)
    assert material.unasked.certainty == 16
    assert material.objective.offsets is not None
    assert torch.allclose(material.objective.offsets, (learned / by_lot).log())


def test_an_answer_that_stands_for_a_group_counts_as_the_group_is_large() -> None:
    """Of 60 images 45 are dark and 15 bright; both groups have one answer, and what was chosen says nothing."""
    pixels = torch.randint(0, 40, (60, *SHAPE), dtype=torch.uint8, generator=seeded())
    pixels[45:] += 200
    pool, origins = from_arrays(pixels), ("spread/images", "spread/images", "chosen/images")
    rows, decisions = torch.tensor([3, 50, 51]), torch.tensor([0, 1, 2])
    answers = Answers(pool.subset(rows), decisions, origins, 3, torch.zeros(3, dtype=torch.bool))
    unasked = pool_lesson(answers, pool, for_each=3, images_per_epoch=7).unasked
    assert unasked is not None
    assert torch.allclose(unasked.shares, torch.tensor([1 + 1.5, 1 + 0.5, 1]) / 5)
    assert unasked.certainty == 2


def test_no_copy_of_what_is_set_aside_is_seen_either() -> None:
    pixels = torch.randint(0, 256, (60, *SHAPE), dtype=torch.uint8, generator=seeded())
    pixels[50:55], pixels[55] = pixels[3], pixels[12]
    pool = from_arrays(pixels)
    material = pool_lesson(_chosen_from(pool), pool, for_each=3, images_per_epoch=7)
    assert material.unasked is not None
    assert material.unasked.rows.tolist() == [*range(10, 50), *range(55, 60)]


def test_members_begin_alike_nowhere() -> None:
    seeds = {
        member_seed(seed, number, answers) for seed in range(5) for number in range(5) for answers in (10, 11, 500)
    }
    assert len(seeds) == 75
    assert not seeds & set(range(1000))


def test_members_learn_for_longer_from_fewer_answers_and_longer_to_teach_than_to_choose() -> None:
    for answers in (1, 100, 10_000, 1_000_000):
        assert choosing_recipe(answers).epochs <= teaching_recipe(answers).epochs <= 60
    assert choosing_recipe(100).epochs > choosing_recipe(100_000).epochs
    assert teaching_recipe(50_000).batch_size > teaching_recipe(49_999).batch_size


@pytest.mark.parametrize("fault", [{"members": -1}, {"choosers": 1}, {"mixtures_per_image": -1.0}, {"subspace": 0}])
def test_impossible_committees_are_refused(fault: dict[str, int]) -> None:
    with pytest.raises(PlanError, match="Committee: "):
        Committee(**fault)  # type: ignore[arg-type]  # one field at a time


@pytest.mark.parametrize(
    ("images", "side", "seen"),
    [(300, 28, 120_000), (10_000, 28, 250_000), (10**6, 28, 1_500_000), (300, 64, 120_000), (300, 224, 34_286)],
)
def test_each_image_of_a_pool_is_seen_some_25_times_and_large_ones_less_often(
    images: int, side: int, seen: int
) -> None:
    assert usually_seen("lenet5", images, (3, side, side)) == seen


def test_networks_that_only_choose_see_less() -> None:
    shape = (1, 28, 28)
    assert [usually_seen("lenet5", images, shape, choosing=True) for images in (300, 10_000, 10**6)] == [
        24_000,
        60_000,
        400_000,
    ]


def test_slow_networks_see_no_more_than_a_fifth_of_a_large_pool() -> None:
    assert usually_seen("residual-half", 10_000, (3, 32, 32)) == 250_000
    assert usually_seen("residual-half", 10**6, (3, 32, 32)) == 300_000


def test_mixtures_follow_the_images() -> None:
    assert Committee(mixtures_per_image=0.5).mixtures_for(5) == 2
    assert Committee().mixtures_for(1000) == 0
