"""A student learns what a committee thinks of a pool, whole or endless, and of what was asked what the teacher said."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from db3kd.context import HERE, Context
from db3kd.data import Dataset
from db3kd.data.dataset import as_bytes
from db3kd.evaluation import mean_logits
from db3kd.evaluation.figures import TransformScore
from db3kd.pipeline.bought import Bought
from db3kd.pipeline.learn import ALWAYS
from db3kd.pipeline.opinions import Endless, WholePool, opinions_of
from db3kd.pipeline.story import CommitteeLesson, Story
from db3kd.pipeline.teach import Teach
from db3kd.pipeline.tell import buy
from db3kd.pools import ImagePool
from db3kd.runs import Keeper, Run
from db3kd.training import Material, Recipe
from made_answers import PRIORS, answered, committee
from made_runs import NETWORK, QUICK, Small, Stopped, keeper_of, parts_of, stories


def _bought(story: Story, folder: Path) -> Bought:
    with Run(folder) as run:
        return buy(story, keeper_of(run)).bought


def _bought_pool(folder: Path) -> tuple[Bought, Dataset]:
    story = stories(Small())["pool"]
    assert story.images is not None
    return _bought(story, folder), story.images


def _material(story: Story, bought: Bought, **options: float) -> Material:
    assert story.images is not None
    return WholePool(CommitteeLesson(**options), bought, story.images, QUICK, HERE).material(0)[0]  # type: ignore[arg-type]  # options of a lesson


def _approve(patch: pytest.MonkeyPatch, **weak: float) -> None:
    """Let a teacher mind all transforms but some."""
    found = [TransformScore(transform=name, asked=12, stayed=12, weak=how, strong=how) for name, how in weak.items()]
    patch.setattr("db3kd.pipeline.opinions.approve", lambda _: found)


def test_the_whole_pool_is_taught_and_the_teacher_is_believed_as_far_as_the_lesson_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _approve(monkeypatch)
    story = stories(Small())["pool"]
    bought = _bought(story, tmp_path)
    assert story.images is not None
    thought = opinions_of(bought.committee, story.images.pixels, 2.0, HERE)
    known = dict(zip(bought.answers.images.ids, bought.answers.decisions.tolist(), strict=True))
    aside = {name for name, mark in zip(bought.answers.images.ids, bought.answers.aside.tolist(), strict=True) if mark}
    kept = [row for row, name in enumerate(story.images.ids) if name not in aside]
    assert 0 < len(kept) < len(story.images)
    for trust in (0.0, 1.0):
        material = _material(story, bought, trust=trust)
        assert material.pixels is story.images.pixels
        assert material.rows is not None
        assert material.rows.tolist() == kept, "what is set aside is seen by no training"
        soft = material.objective.soft_labels
        assert soft is not None
        for place, row in enumerate(kept):
            decided = known.get(story.images.ids[row])
            if trust and decided is not None:
                assert soft[place, decided] == 1
            else:
                assert torch.allclose(soft[place], thought[row])


def test_no_copy_of_what_is_set_aside_is_taught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _approve(monkeypatch)
    story = stories(Small())["pool"]
    bought = _bought(story, tmp_path)
    assert story.images is not None
    answers, pixels = bought.answers, story.images.pixels.clone()
    left = story.images.without(answers.images.ids)[:3]
    pixels[left] = answers.images.pixels[answers.aside][0]
    taught = _material(replace(story, pool=ImagePool(replace(story.images, pixels=pixels))), bought).rows
    whole = _material(story, bought).rows
    assert taught is not None
    assert whole is not None
    assert set(whole.tolist()) - set(taught.tolist()) == set(left.tolist())


def test_of_a_pool_that_is_mostly_of_no_class_only_the_rest_is_taught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _approve(monkeypatch)
    story = stories(Small(abstains=True))["pool"]
    bought = _bought(story, tmp_path)
    answers = bought.answers
    assert 0 < int((~answers.decided).sum()) < len(answers)
    assert {member(torch.rand(1, 1, 6, 6)).shape[1] for member in bought.committee} == {4}, "one class more: none"
    material = _material(story, bought)
    assert story.images is not None
    assert material.rows is not None
    assert 0 < len(material) < len(story.images)
    silent = {image.numpy().tobytes() for image in answers.images.pixels[~answers.decided & ~answers.aside]}
    assert not silent & {image.numpy().tobytes() for image in material.pixels[material.rows]}
    soft = material.objective.soft_labels
    assert soft is not None
    assert soft.shape[1] == 3
    assert torch.allclose(soft.sum(dim=1), torch.ones(len(soft)), atol=1e-5)


def test_a_committee_that_learns_from_answers_alone_knows_no_further_class(tmp_path: Path) -> None:
    story = stories(Small(abstains=True))["pool"]
    assert story.committee is not None
    bought = _bought(replace(story, committee=replace(story.committee, unasked=0)), tmp_path)
    assert {member(torch.rand(1, 1, 6, 6)).shape[1] for member in bought.committee} == {3}


def test_of_a_very_large_pool_what_was_decided_is_taught_and_others_by_lot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _approve(monkeypatch)
    bought, images = _bought_pool(tmp_path)
    whole = WholePool(CommitteeLesson(), bought, images, QUICK, HERE).material(0)[0]
    some = WholePool(CommitteeLesson(), bought, images, QUICK, HERE, 45).material(0)[0]
    assert some.rows is not None
    assert whole.rows is not None
    answers, rows, all_rows = bought.answers, some.rows.tolist(), whole.rows.tolist()
    decided = {images.row_of(answers.images.ids[row]) for row in answers.learned().tolist()} - {None}
    assert len(decided) < len(rows) <= 45 < len(all_rows)
    assert decided <= set(rows) <= set(all_rows)
    assert some.objective.soft_labels is not None
    assert whole.objective.soft_labels is not None
    places = torch.tensor([all_rows.index(row) for row in rows])
    assert torch.allclose(some.objective.soft_labels, whole.objective.soft_labels[places], atol=1e-6)
    fewest = WholePool(CommitteeLesson(), bought, images, QUICK, HERE, 1).material(0)[0]
    assert fewest.rows is not None
    assert set(fewest.rows.tolist()) == decided


class TestViews:
    def test_a_pool_is_taught_in_views_that_the_committee_was_asked_about(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        _approve(monkeypatch, shift=0.2, turn=0.0)
        bought, pool = _bought_pool(tmp_path)
        (first, until), (later, later_until) = (
            WholePool(CommitteeLesson(trust=0.5), bought, pool, LONG, HERE).material(epoch) for epoch in (0, 6)
        )
        assert (until, later_until) == (5, 10)
        assert len(first) == len(later) == len(pool) - int(bought.answers.aside.sum())
        assert first.images_per_epoch is None
        assert not torch.equal(first.pixels, later.pixels)
        assert first.objective.soft_labels is not None
        thought = opinions_of(bought.committee, first.pixels, 2.0, HERE)
        known = dict(zip(bought.answers.images.ids, bought.answers.decisions.tolist(), strict=True))
        taught = pool.subset(pool.without(bought.answers.images.subset(bought.answers.aside.nonzero()[:, 0]).ids))
        assert len(taught) == len(first)
        same = (first.pixels == as_bytes(taught.images())).flatten(1).all(dim=1)
        assert 0.25 < same.float().mean() < 0.9, "half of them are shown as they are"
        for place, name in enumerate(taught.ids):
            expected = thought[place].clone()
            if name in known:
                expected = expected / 2
                expected[known[name]] += 0.5
            assert torch.allclose(first.objective.soft_labels[place], expected, atol=1e-6)

    def test_a_set_is_the_same_whenever_it_is_made_and_another_for_another_seed(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        _approve(monkeypatch, mirror=1.0, shift=0.2)
        bought, pool = _bought_pool(tmp_path)
        lessons = WholePool(CommitteeLesson(), bought, pool, LONG, HERE)
        again = WholePool(CommitteeLesson(), bought, pool, LONG, HERE)
        assert torch.equal(lessons.material(0)[0].pixels, again.material(4)[0].pixels)
        other = WholePool(CommitteeLesson(), bought, pool, LONG, Context(seed=1))
        assert not torch.equal(lessons.material(0)[0].pixels, other.material(0)[0].pixels)

    def test_where_the_teacher_minds_all_transforms_images_are_shown_as_they_are(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        _approve(monkeypatch, mirror=0.0, shift=0.0)
        bought, pool = _bought_pool(tmp_path)
        material, until = WholePool(CommitteeLesson(), bought, pool, LONG, HERE).material(0)
        assert material.pixels is pool.pixels
        assert until == ALWAYS

    def test_of_a_pool_that_is_too_large_for_memory_each_epoch_shows_another_part(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        _approve(monkeypatch, mirror=1.0)
        bought, pool = _bought_pool(tmp_path)
        whole = len(WholePool(CommitteeLesson(), bought, pool, LONG, HERE).material(0)[0])
        monkeypatch.setattr("db3kd.pipeline.opinions._BYTES_OF_VIEWS", 20 * pool.pixels[0].nbytes)
        lessons = WholePool(CommitteeLesson(), bought, pool, LONG, HERE)
        shown = set[bytes]()
        for epoch in range(LONG.epochs):
            material, until = lessons.material(epoch)
            assert (len(material), material.images_per_epoch, until) == (20, whole, epoch + 1)
            # Mirrored or not, it is that image.
            shown |= {min(image.numpy().tobytes(), image.flip(2).numpy().tobytes()) for image in material.pixels}
        assert len(shown) == whole
        monkeypatch.setattr("db3kd.pipeline.opinions._BYTES_OF_VIEWS", 2 * pool.pixels[0].nbytes)
        material, until = WholePool(CommitteeLesson(), bought, pool, LONG, HERE).material(0)
        assert (len(material), until) == (whole, ALWAYS), "views would show less of the pool than its images"


ENDLESS = CommitteeLesson(candidates=32, answered=20)
ANSWERS = answered(60)
LONG = Recipe("adam", 1e-2, epochs=7, batch_size=16, schedule="one-cycle")


def _endless(seed: int = 0) -> Endless:
    bought = Bought(ANSWERS, ANSWERS.take(torch.arange(0)), tuple(committee()))
    return Endless(ENDLESS, bought, PRIORS, LONG, Context(seed=seed))


def _viewed() -> WholePool:
    bought = Bought(ANSWERS, ANSWERS.take(torch.arange(0)), tuple(committee()))
    return WholePool(CommitteeLesson(), bought, ANSWERS.images, LONG, HERE)


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
    @pytest.mark.parametrize("lessons", [_endless, _viewed])
    def test_resumed_in_the_middle_of_a_set_it_is_byte_for_byte_the_same(
        self,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        lessons: Callable[[], Endless | WholePool],
        stops: tuple[int, ...],
    ) -> None:
        monkeypatch.setattr("db3kd.runs.notebook._SECONDS_BETWEEN_STATES", -1.0)
        _approve(monkeypatch, shift=0.2)

        def train(folder: Path, stop: int | None = None) -> None:
            def hear(stage: str, done: int, total: int, unit: str) -> None:
                # Where it is resumed from is heard first.
                if done == stop and heard:
                    raise Stopped
                heard.append(done)

            heard: list[int] = []
            stage = Teach("student", lessons(), NETWORK, LONG, about={}, digest="some", num_classes=4, seed=0)
            with Run(folder) as run:
                Keeper(run, Context(progress=hear)).perform(stage)

        train(tmp_path / "whole")
        for stop in stops:
            with pytest.raises(Stopped):
                train(tmp_path / "parts", stop)
        train(tmp_path / "parts")
        assert parts_of(tmp_path / "parts") == parts_of(tmp_path / "whole")
        assert [line["epoch"] for line in Run(tmp_path / "parts").lines()] == [1, 2, 3, 4, 5, 6, 7]
