"""What students are taught: which classes, which soft labels, on which images, and what that cost."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from db3kd.boundary.methods import GuidedDistance, SampleDistance
from db3kd.data import Dataset, from_arrays
from db3kd.errors import InputError, RunMismatch
from db3kd.evaluation import logits
from db3kd.execution import Labelling
from db3kd.pipeline import Budget, Distillation, Priming
from db3kd.pipeline.labelling import label
from db3kd.pipeline.lessons import lesson_costs, lessons, own_label, own_lesson
from db3kd.pipeline.story import Beside
from db3kd.pipeline.supplement import kept_supplement
from db3kd.runs import Run
from db3kd.softening import inverse_distance, relative_distance
from db3kd.training import Recipe
from db3kd.transfer import TransferSet
from known_teachers import Counting, Sectors
from made_transfers import made_transfer
from questions import draw_images

ARCHITECTURE = "made_networks:two_layers"
DISTILLATION = Distillation(ARCHITECTURE, Recipe("adam", 1e-2, epochs=4, batch_size=16)).softened_by("proportional")
IMAGES, CLASSES, QUERIES = 20, 3, 30


class TestLessons:
    def test_baselines_stand_beside_the_runs_own_student_which_comes_last(self) -> None:
        transfer = made_transfer()
        taught = lessons(transfer, DISTILLATION)
        assert list(taught) == ["true-labels", "hard-decisions", "bd"]
        assert taught["true-labels"].objective.labels is transfer.images.labels
        assert taught["hard-decisions"].objective.labels is transfer.decisions
        assert taught["true-labels"].objective.soft_labels is taught["hard-decisions"].objective.soft_labels is None
        assert taught["bd"].objective.soft_labels is not None

    def test_without_true_labels_that_baseline_is_left_out(self) -> None:
        assert list(lessons(made_transfer(labels=False), DISTILLATION)) == ["hard-decisions", "bd"]

    def test_true_labels_that_are_not_there_are_refused(self) -> None:
        with pytest.raises(InputError, match="'made' has none"):
            lessons(made_transfer(labels=False), replace(DISTILLATION, classes="true"))

    @pytest.mark.parametrize("classes", ["decisions", "true"])
    def test_the_class_is_the_teachers_decision_unless_the_labels_are_asked_for(self, classes: str) -> None:
        transfer = made_transfer()
        objective = own_lesson("bd", transfer, replace(DISTILLATION, classes=classes)).objective  # type: ignore[arg-type]  # one of two
        expected = transfer.decisions if classes == "decisions" else transfer.images.labels
        assert expected is not None
        assert objective.labels is not None
        assert torch.equal(objective.labels, expected)
        # Whatever the class, the soft label is the teacher's: its own class is the teacher's decision.
        assert objective.soft_labels is not None
        assert torch.equal(objective.soft_labels.argmax(1), transfer.decisions)

    def test_softening_takes_the_rule_its_temperature_and_the_snapshot(self) -> None:
        transfer = made_transfer()
        relative = replace(DISTILLATION, softening="relative", softening_temperature=0.7, queries_per_pair=50)
        for distillation, rule, distances in (
            (DISTILLATION.softened_by("inverse"), inverse_distance, transfer.distances),
            (relative, relative_distance, transfer.snapshots[50]),
        ):
            soft = own_lesson("bd", transfer, distillation).objective.soft_labels
            assert soft is not None
            assert torch.equal(soft, rule(distances, transfer.decisions, distillation.softening_temperature))
        with pytest.raises(InputError, match="no snapshot at 51"):
            own_lesson("bd", transfer, replace(DISTILLATION, queries_per_pair=51))

    def test_a_rule_brings_the_temperatures_that_belong_to_it(self) -> None:
        paper = DISTILLATION.softened_by("inverse")
        assert (paper.softening, paper.softening_temperature, paper.temperature) == ("inverse", 20.0, 20.0)
        assert paper.softened_by("proportional") == DISTILLATION

    def test_temperature_and_weights_reach_the_loss(self) -> None:
        weighted = replace(DISTILLATION, temperature=3.0, hard_weight=0.25, soft_weight=0.75)
        objective = own_lesson("bd", made_transfer(), weighted).objective
        assert (objective.temperature, objective.hard_weight, objective.soft_weight) == (3.0, 0.25, 0.75)


def _images() -> Dataset:
    return from_arrays(draw_images(Sectors(classes=CLASSES), IMAGES), name="drawn")


def _bought(folder: Path, *, guided: bool = True) -> TransferSet:
    priming = Priming(
        Recipe("adam", 0.01, epochs=2, batch_size=16), ARCHITECTURE, networks=2, mixtures_per_image=1.5, subspace=8
    )
    method = GuidedDistance() if guided else SampleDistance()
    how = Labelling(method, QUERIES if guided else 0, keep_probes=25 if guided else 0)
    with Run(folder) as run:
        return label(run, Counting(Sectors(classes=CLASSES)), _images(), how, budget=Budget(), priming=priming)


class TestSupplement:
    def test_the_teacher_is_quoted_on_mixtures_and_probes_and_an_epoch_stays_as_long(self, tmp_path: Path) -> None:
        transfer = _bought(tmp_path)
        supplement = kept_supplement(Run(tmp_path), transfer, beside=("mixtures", "probes"))
        assert not supplement.primers
        lesson = own_lesson("guided", transfer, DISTILLATION, supplement)
        assert len(lesson.images) == IMAGES + 30 + 25
        assert lesson.images_per_epoch == IMAGES
        assert lesson.objective.labels is not None
        assert torch.equal(lesson.objective.labels, Sectors(classes=CLASSES)(lesson.images.images()))
        # Where no distance was bought, all other classes are alike.
        soft = lesson.objective.soft_labels
        assert soft is not None
        assert torch.equal(soft[IMAGES:].argmax(1), lesson.objective.labels[IMAGES:])
        assert torch.allclose(soft[IMAGES:].amin(1), (1 - soft[IMAGES:].amax(1)) / (CLASSES - 1))

    def test_primers_teach_what_they_think_on_average(self, tmp_path: Path) -> None:
        transfer = _bought(tmp_path, guided=False)
        supplement = kept_supplement(Run(tmp_path), transfer, beside=("mixtures",), primers=True)
        lesson = own_lesson("sd", transfer, DISTILLATION.softened_by("primers"), supplement)
        first, second = (logits(primer, lesson.images) for primer in supplement.primers)
        opinions, decided = (first + second) / 2, lesson.objective.labels
        assert decided is not None
        agreed = opinions.argmax(1) == decided
        soft = lesson.objective.soft_labels
        assert soft is not None
        assert torch.equal(soft.gather(1, decided[:, None])[:, 0], soft.amax(1)), "the teacher has the last word"
        assert torch.equal(soft[agreed].argsort(1), opinions[agreed].argsort(1))

    def test_a_lesson_costs_what_it_rests_on(self, tmp_path: Path) -> None:
        transfer = _bought(tmp_path)
        searched = int(transfer.queries.sum())
        assert searched > 0
        smoothed = DISTILLATION.softened_by("smoothed")
        mixtures: tuple[Beside, ...] = ("mixtures",)
        for way, cost in (
            (smoothed, IMAGES),
            (replace(smoothed, beside=mixtures), IMAGES + 30),
            (DISTILLATION.softened_by("primers"), IMAGES + 30),
            (DISTILLATION.softened_by("relative"), IMAGES + 30 + searched),
            (DISTILLATION, IMAGES + 30 + searched),
            (replace(smoothed, beside=("probes",)), IMAGES + 30 + searched),
        ):
            assert lesson_costs(transfer, way) == {"hard-decisions": IMAGES, "guided": cost}

    def test_what_a_run_does_not_hold_is_refused(self, tmp_path: Path) -> None:
        with Run(tmp_path) as run:
            transfer = label(run, Sectors(classes=CLASSES), _images(), Labelling(SampleDistance(), 0), budget=Budget())
        missing: tuple[Beside, ...] = ("mixtures", "probes")
        for name in missing:
            with pytest.raises(InputError, match=f"holds no {name}"):
                kept_supplement(Run(tmp_path), transfer, beside=(name,))
        with pytest.raises(InputError, match="this run has none"):
            own_lesson(
                "sd",
                transfer,
                DISTILLATION.softened_by("primers"),
                kept_supplement(Run(tmp_path), transfer, primers=True),
            )

    def test_mixtures_that_are_not_those_that_were_asked_about_are_refused(self, tmp_path: Path) -> None:
        transfer = _bought(tmp_path, guided=False)
        other = replace(transfer, provenance={**transfer.provenance, "primer_seed": "7"})
        with pytest.raises(RunMismatch, match="decisions of other images"):
            kept_supplement(Run(tmp_path), other, beside=("mixtures",))


def test_a_student_is_called_by_what_it_learned_from() -> None:
    assert own_label(DISTILLATION.softened_by("primers")) == "what primers think"
    assert own_label(DISTILLATION.softened_by("smoothed")) == "decisions, smoothed"
    assert own_label(DISTILLATION) == own_label(DISTILLATION.softened_by("inverse")) == ""
