"""What a student is taught of labels: those of the teacher, true ones, or soft ones of what was bought."""

from dataclasses import replace

import pytest
import torch

from db3kd.context import HERE
from db3kd.errors import InputError
from db3kd.evaluation import mean_logits
from db3kd.pipeline.bought import Bought
from db3kd.pipeline.learn import ALWAYS
from db3kd.pipeline.lessons import baseline_lessons, fixed_material, lessons_for
from db3kd.pipeline.story import CommitteeLesson, FixedLesson
from db3kd.pipeline.tell import Purchase
from db3kd.softening import Inverse, Opinions, Proportional, Smoothed
from made_answers import PRIORS, answered
from made_runs import CLASSES, QUICK


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


def test_baselines_learn_bare_classes(purchase: Purchase) -> None:
    answers = purchase.bought.answers
    lessons = baseline_lessons(answers, ("true-labels", "hard-decisions"))
    for lesson in lessons.values():
        material, until = lesson.material(0)
        assert material.objective.soft_labels is None
        assert until == ALWAYS
    assert list(baseline_lessons(answered(10), ("true-labels", "hard-decisions"))) == ["hard-decisions"]
