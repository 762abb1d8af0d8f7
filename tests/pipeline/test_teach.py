"""What a student is taught: soft labels of what was bought, or a committee's opinions on what never ends."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from db3kd.context import HERE, Context
from db3kd.data import from_arrays
from db3kd.errors import InputError
from db3kd.evaluation import mean_logits
from db3kd.pipeline.bought import Bought, cost_of
from db3kd.pipeline.lessons import baseline_lessons, fixed_material, lessons_for
from db3kd.pipeline.opinions import Endless
from db3kd.pipeline.story import CommitteeLesson, FixedLesson
from db3kd.pipeline.teach import Teach, recipe_for
from db3kd.pipeline.tell import Purchase, buy
from db3kd.pools import ImagePool
from db3kd.runs import Keeper, Run
from db3kd.softening import Inverse, Opinions, Proportional, Smoothed
from db3kd.training import Recipe
from made_answers import PRIORS, answered, committee
from made_runs import BD, CLASSES, NETWORK, QUICK, Small, Stopped, images, keeper_of, parts_of, stories


@pytest.fixture(scope="module")
def purchase(tmp_path_factory: pytest.TempPathFactory) -> Purchase:
    """24 labelled images, 24 mixtures, a committee, distances of a guided search."""
    described = replace(
        stories(Small(abstains=True))["guided"],
        pool=ImagePool(images(labelled=True)),
        measurement=replace(BD, snapshots=(5, 10)),
    )
    with Run(tmp_path_factory.mktemp("bought")) as run:
        return buy(described, keeper_of(run))


class TestFixed:
    def test_labels_are_the_teachers_or_the_true_ones(self, purchase: Purchase) -> None:
        known = purchase.bought.answers.take(purchase.bought.answers.learned())
        assert len(known) < 24, "an abstention is no label"
        decided = fixed_material(FixedLesson(), purchase.bought, HERE)
        true = fixed_material(FixedLesson(classes="true"), purchase.bought, HERE)
        assert decided.objective.labels is not None
        assert true.objective.labels is not None
        assert known.images.labels is not None
        assert torch.equal(decided.objective.labels, known.decisions)
        assert torch.equal(true.objective.labels, known.images.labels)
        assert decided.images_per_epoch == len(known)

    def test_distances_may_be_those_of_a_snapshot(self, purchase: Purchase) -> None:
        bought = purchase.bought
        known = bought.answers.take(bought.answers.learned())
        assert bought.distances is not None
        for count in (None, 5):
            soft = fixed_material(FixedLesson(Inverse(), queries_per_pair=count), bought, HERE).objective.soft_labels
            distances = bought.distances if count is None else bought.distances.at(count)
            expected = Inverse()(known.decisions, distances=distances.distances, num_classes=CLASSES)
            assert soft is not None
            assert torch.equal(soft, expected)

    def test_mixtures_lengthen_no_epoch_and_count_as_unmeasured(self, purchase: Purchase) -> None:
        bought = purchase.bought
        count, mixed = len(bought.answers.learned()), len(bought.mixtures.learned())
        material = fixed_material(FixedLesson(Proportional(), mixtures=True), bought, HERE)
        soft, labels = material.objective.soft_labels, material.objective.labels
        assert soft is not None
        assert labels is not None
        assert (len(material.pixels), material.images_per_epoch) == (count + mixed, count)
        # Where no distance was bought, all other classes are alike.
        assert torch.equal(soft[count:].argmax(1), labels[count:])
        assert torch.allclose(soft[count:].amin(1), (1 - soft[count:].amax(1)) / (CLASSES - 1))

    def test_a_committee_teaches_what_it_thinks_on_average(self, purchase: Purchase) -> None:
        bought = purchase.bought
        material = fixed_material(FixedLesson(Opinions()), bought, HERE)
        opinions, soft, labels = (
            # The last class is for what the teacher gave none.
            mean_logits(bought.committee, material.pixels)[:, :3],
            material.objective.soft_labels,
            material.objective.labels,
        )
        assert soft is not None
        assert labels is not None
        assert torch.equal(soft.gather(1, labels[:, None])[:, 0], soft.amax(1)), "the teacher has the last word"
        agreed = opinions.argmax(1) == labels
        assert torch.equal(soft[agreed].argsort(1), opinions[agreed].argsort(1))

    def test_a_softening_of_its_own_temperatures_is_compared_at_them(self, purchase: Purchase) -> None:
        material = fixed_material(
            FixedLesson(Smoothed(4.0, 2.0), hard_weight=0.3, soft_weight=0.7), purchase.bought, HERE
        )
        objective = material.objective
        assert (objective.temperature, objective.hard_weight, objective.soft_weight) == (2.0, 0.3, 0.7)

    def test_what_was_not_bought_is_told(self, purchase: Purchase) -> None:
        bare = Bought(purchase.bought.answers.take(torch.arange(5)), purchase.bought.mixtures)
        unlabelled = replace(bare, answers=answered(10))
        for lesson, bought, fault in (
            (FixedLesson(Inverse()), bare, "needs distances"),
            (FixedLesson(Opinions()), bare, "needs a committee"),
            (FixedLesson(classes="true"), unlabelled, "needs images with labels"),
            (FixedLesson(Inverse(), queries_per_pair=7), purchase.bought, "no snapshot at 7"),
        ):
            with pytest.raises(InputError, match=fault):
                fixed_material(lesson, bought, HERE)
        with pytest.raises(InputError, match="a committee needs one"):
            lessons_for(CommitteeLesson(), bare, PRIORS, QUICK, HERE)


def test_a_lesson_costs_what_it_rests_on(purchase: Purchase) -> None:
    bought = purchase.bought
    assert bought.distances is not None
    searched = bought.distances.cost
    for lesson, cost in (
        (FixedLesson(), 24),
        (FixedLesson(mixtures=True), 24 + len(bought.mixtures)),
        (FixedLesson(Opinions()), 24 + len(bought.mixtures)),
        (FixedLesson(Inverse()), 24 + len(bought.mixtures) + searched),
        (CommitteeLesson(), 24 + len(bought.mixtures)),
    ):
        assert cost_of(lesson, bought) == cost


def test_baselines_learn_bare_classes(purchase: Purchase) -> None:
    answers = purchase.bought.answers
    lessons = baseline_lessons(answers, ("true-labels", "hard-decisions"), 3)
    for lesson in lessons.values():
        material, until = lesson.material(0)
        assert material.objective.soft_labels is None
        assert until == 3
    assert list(baseline_lessons(answered(10), ("true-labels", "hard-decisions"), 3)) == ["hard-decisions"]


def test_a_student_of_opinions_learns_for_longer_from_more_questions() -> None:
    epochs = [recipe_for(CommitteeLesson(), "lenet5", questions).epochs for questions in (10, 25_000, 50_000, 10**7)]
    assert epochs == [60, 60, 120, 480]
    assert recipe_for(FixedLesson(), "lenet5", 10) == recipe_for(FixedLesson(), "lenet5", 10**7)


@pytest.mark.parametrize(("images", "side", "epochs"), [(500, 28, 50), (500, 64, 50), (500, 224, 15)])
def test_a_student_sees_each_image_of_a_pool_often_and_large_ones_less_often(
    images: int, side: int, epochs: int
) -> None:
    pool = from_arrays(torch.zeros(images, 1, side, side, dtype=torch.uint8))
    assert recipe_for(CommitteeLesson(), "residual", images, pool).epochs == epochs


ENDLESS = CommitteeLesson(candidates=32, answered=20)
ANSWERS = answered(60)
LONG = Recipe("adam", 1e-2, epochs=7, batch_size=16, schedule="one-cycle")


def _endless(seed: int = 0) -> Endless:
    bought = Bought(ANSWERS, ANSWERS.take(torch.arange(0)), tuple(committee()))
    return Endless(ENDLESS, bought, PRIORS, LONG, Context(seed=seed))


class TestEndless:
    def test_each_set_is_new_and_the_same_whenever_it_is_made(self) -> None:
        first, again = _endless(), _endless()
        sets = [first.material(epoch) for epoch in (0, 2, 4)]
        assert [until for _, until in sets] == [2, 4, 6]
        assert all(len(material.pixels) == 52 for material, _ in sets)
        assert not torch.equal(sets[0][0].pixels, sets[1][0].pixels)
        # In the middle of a set, it is still that one.
        for epoch, (material, _) in ((1, sets[0]), (3, sets[1]), (4, sets[2])):
            made, _ = again.material(epoch)
            assert torch.equal(made.pixels, material.pixels)
            assert made.objective.soft_labels is not None
            assert material.objective.soft_labels is not None
            assert torch.equal(made.objective.soft_labels, material.objective.soft_labels)
        assert not torch.equal(_endless(seed=1).material(0)[0].pixels, sets[0][0].pixels)

    def test_decisions_weigh_as_much_as_they_are_trusted_and_none_is_set_aside(self) -> None:
        answers, bought = ANSWERS, Bought(ANSWERS, ANSWERS.take(torch.arange(0)), tuple(committee()))
        trusting = replace(ENDLESS, trust=1.0, answered=60)
        material, _ = Endless(trusting, bought, PRIORS, LONG, HERE).material(0)
        soft = material.objective.soft_labels
        assert soft is not None
        known = soft[32:]
        assert len(known) == len(answers.learned()) < 60
        assert torch.equal(known.amax(1), torch.ones(len(known)))
        thought = (mean_logits(bought.committee, material.pixels[:32]) / 2).softmax(1)
        assert torch.allclose(soft[:32], thought)

    @pytest.mark.parametrize("stops", [(5,), (1, 2, 3, 4, 5, 6)], ids=str)
    def test_resumed_in_the_middle_of_a_set_it_is_byte_for_byte_the_same(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stops: tuple[int, ...]
    ) -> None:
        monkeypatch.setattr("db3kd.runs.notebook._SECONDS_BETWEEN_STATES", -1.0)

        def train(folder: Path, stop: int | None = None) -> None:
            def hear(stage: str, done: int, total: int, unit: str) -> None:
                # Where it is resumed from is heard first.
                if done == stop and heard:
                    raise Stopped
                heard.append(done)

            heard: list[int] = []
            stage = Teach("student", _endless(), NETWORK, LONG, about={}, digest="some", num_classes=4, seed=0)
            with Run(folder) as run:
                Keeper(run, Context(progress=hear)).perform(stage)

        train(tmp_path / "whole")
        for stop in stops:
            with pytest.raises(Stopped):
                train(tmp_path / "parts", stop)
        train(tmp_path / "parts")
        assert parts_of(tmp_path / "parts") == parts_of(tmp_path / "whole")
        assert [line["epoch"] for line in Run(tmp_path / "parts").lines()] == [1, 2, 3, 4, 5, 6, 7]


def test_what_a_student_learned_from_is_told_apart(purchase: Purchase) -> None:
    bought = purchase.bought
    assert bought.distances is not None
    digests = {
        bought.digest,
        replace(bought, distances=None).digest,
        replace(bought, committee=bought.committee[:1]).digest,
        replace(bought, mixtures=bought.mixtures.take(torch.arange(3))).digest,
        replace(bought, answers=bought.answers.take(torch.arange(23))).digest,
    }
    assert len(digests) == 5
