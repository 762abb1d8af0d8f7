"""From a plan to its story: what it says holds, and what it leaves open is what suits."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from db3kd.acquisition import Disagreement, Rounds
from db3kd.boundary import BoundaryDistance, Measurement, MinimalBoundaryDistance
from db3kd.errors import DataError, InputError, PlanError
from db3kd.pipeline.settling import Wishes, settle
from db3kd.pipeline.story import CommitteeLesson, FixedLesson, Pushed, Story
from db3kd.pipeline.teach import settled_recipe
from db3kd.plan import OpenedTeacher, open_cluster, open_story, open_train_recipe, parse_plan, read_settings
from db3kd.pools import ImagePool, Joined, Priors, Surrogates
from db3kd.softening import Inverse, Smoothed
from db3kd.training import Committee, Recipe, student_recipe, teacher_recipe
from known_teachers import Sectors
from logged_teacher import write_images
from made_pictures import write_folder

TEACHER = Sectors((1, 16, 16), 4)


@dataclass(frozen=True)
class OwnPool:
    """A pool of somebody's own: it is told the shape of an image."""

    image_shape: tuple[int, int, int]
    shades: int = 3

    name = "own"
    size = None
    children = 0.0

    @property
    def key(self) -> dict[str, Any]:
        return {"type": self.name, "shades": self.shades}

    def draw(self, *_: object) -> None: ...
    def offspring(self, *_: object) -> None: ...


def own_search(*, exemplars: int) -> BoundaryDistance:
    return BoundaryDistance(exemplars)


def _story(*settings: str, images: str | None = None) -> Story:
    content = read_settings(settings)
    if images is not None:
        content["images"] = {"source": images}
    plan = parse_plan({**content, "teacher": {"uri": "python:known_teachers:Sectors"}})
    return open_story(plan, OpenedTeacher(TEACHER, None))


@pytest.fixture
def images(tmp_path: Path) -> str:
    return write_images(tmp_path / "tiny.npz")


def test_an_empty_plan_is_what_python_does() -> None:
    found, expected = _story(), settle(Wishes(names={"teacher": "python:known_teachers:Sectors"}), TEACHER)
    assert found == expected
    assert isinstance(found.pool, Priors)
    assert found.lesson == CommitteeLesson()


def test_single_keys_change_what_suits(images: str) -> None:
    story = _story("committee.members=2", "rounds.patience=0", "search=guided", "student.epochs=3", images=images)
    assert story.rounds == Rounds(opening=1.0, number=0, between=0.0, aside_every=0, patience=0)
    assert story.committee == Committee("lenet5", members=2, mixtures_per_image=2.0, unasked=0)
    assert settled_recipe(story, 1) == Recipe("adam", 1e-3, 3, 512)
    assert story.lesson == FixedLesson(Smoothed())
    assert _story("lesson.hard_weight=0", images=images).lesson == FixedLesson(Smoothed(), hard_weight=0.0)
    assert settled_recipe(_story("student.rate=0.5"), 50_000) == Recipe(
        "adam", 0.5, 120, 128, schedule="one-cycle", precision="bfloat16"
    )


def test_objects_are_made_of_their_keys(images: str) -> None:
    story = _story(
        "search.name=mbd",
        "search.start.exemplars=2",
        "search.queries_per_pair=70",
        "search.snapshots=[10, 20]",
        "lesson.softening=inverse",
        "lesson.softening.temperature=5",
        "acquisition=disagreement",
        "committee.recipe.epochs=9",
        images=images,
    )
    method = MinimalBoundaryDistance(BoundaryDistance(2))
    assert story.measurement == Measurement(method, 70, (10, 20))
    assert story.lesson == FixedLesson(Inverse(5.0))
    assert story.acquisition == Disagreement()
    assert story.committee is not None
    assert story.committee.recipe == Recipe("adam", 2e-3, 9, 128, schedule="one-cycle", precision="bfloat16")
    assert _story("search=none", images=images).measurement is None


def test_pools(images: str) -> None:
    assert isinstance(_story(images=images).pool, ImagePool)
    assert isinstance(_story("pool=images", images=images).pool, ImagePool)
    surrogates = _story("pool.kind=surrogates", "pool.children=0.25", images=images).pool
    assert isinstance(surrogates, Surrogates)
    assert (surrogates.children, surrogates.pictures.image_shape) == (0.25, (1, 16, 16))
    joined = _story('pool=["images", "priors"]', images=images).pool
    assert isinstance(joined, Joined)
    assert [type(one) for one in joined.pools] == [ImagePool, Priors]
    pushed = _story("pool=repulsion", "pool.search=mbd", "pool.search.directions=3", "pool.images_per_class=7").pool
    assert isinstance(pushed, Pushed)
    assert pushed.repulsion.method == MinimalBoundaryDistance(directions=3)
    assert pushed.noise.images_per_class == 7
    for refused in (("pool=images",), ("pool=surrogates",), ('pool=["priors", "images"]',)):
        with pytest.raises(PlanError, match=r"images\.source"):
            _story(*refused)
    with pytest.raises(PlanError, match="surrogates"):
        _story("pool=priors", images=images)


def test_ones_own_objects_take_any_key(images: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "users_own", __import__("types").ModuleType("users_own"))
    monkeypatch.setattr("users_own.Pool", OwnPool, raising=False)
    monkeypatch.setattr("users_own.search", own_search, raising=False)
    made: object = _story("pool.kind=users_own:Pool", "pool.shades=5").pool
    assert made == OwnPool((1, 16, 16), 5)
    with pytest.raises(PlanError, match=r"pool\.colours is unknown: expected one of kind, shades"):
        _story("pool.kind=users_own:Pool", "pool.colours=5")
    found = _story("search.name=users_own:search", "search.exemplars=4", "search.queries_per_pair=9", images=images)
    assert found.measurement == Measurement(BoundaryDistance(4), 9)
    with pytest.raises(PlanError, match=r"users_own:search cannot be made of shades"):
        _story("search.name=users_own:search", "search.shades=4", images=images)


def test_true_labels_are_no_baseline_where_there_are_none(tmp_path: Path, images: str) -> None:
    held_out = f'held_out.source="{images}"'
    assert _story(held_out, images=images).student.baselines == ("true-labels", "hard-decisions")
    assert _story(held_out, "pool=repulsion").student.baselines == ("hard-decisions",)
    assert _story(held_out, "student.baselines=[]", images=images).student.baselines == ()


def test_the_recipe_of_a_teacher_is_its_preset_with_what_is_said() -> None:
    section = parse_plan({"train": {"architecture": "lenet5"}}).train
    assert section is not None
    assert open_train_recipe(section) == teacher_recipe("lenet5")
    keys = {"architecture": "alexnet", "preset": "student", "epochs": 3, "milestones": [2]}
    changed = parse_plan({"train": keys}).train
    assert changed is not None
    assert open_train_recipe(changed) == Recipe("adam", student_recipe("alexnet").rate, 3, 512, milestones=(2,))


def test_how_images_are_brought_to_one_size_is_said_in_their_section(tmp_path: Path) -> None:
    write_folder(tmp_path)
    (tmp_path / "empty.png").write_bytes(b"")
    folder, held_out = f'images.source="{tmp_path}"', f'held_out.source="{tmp_path}"'
    plain = _story(folder, held_out, "held_out.split=train")
    assert plain.images is not None
    assert plain.images.image_shape == (1, 16, 16), "what the teacher takes"
    said = ["images.fit=pad", "images.background=[9, 9, 9]", "images.broken_share=0.5", "images.color=gray"]
    told = _story(folder, *said, "images.size=[16, 16]", held_out, "held_out.split=train")
    assert told.images is not None
    assert told.held_out is not None
    assert told.images.digest != plain.images.digest
    assert torch.equal(told.held_out.pixels, told.images.pixels), "as the images, where nothing else is said"
    other = _story(folder, *said, held_out, "held_out.split=train", "held_out.fit=stretch").held_out
    assert other is not None
    assert not torch.equal(other.pixels, told.images.pixels)
    assert [reading.name for reading in told.readings] == [f"{tmp_path.name}/train"] * 2
    for refused in ("images.fit=squeeze", "images.size=[0, 4]", "images.background=[1]", "images.broken_share=2"):
        with pytest.raises(PlanError, match=refused.partition("=")[0].replace(".", r"\.")):
            _story(folder, refused)
    with pytest.raises(DataError, match=r"empty\.png cannot be read"):
        _story(folder, "images.broken=stop")
    with pytest.raises(InputError, match=r"takes images of shape \(1, 16, 16\)"):
        _story(folder, "images.size=[8, 8]")


def test_a_named_set_is_changed_only_where_that_is_said(images: str) -> None:
    teacher = OpenedTeacher(Sectors((3, 18, 18), 4), None)
    content: dict[str, Any] = {"teacher": {"uri": "python:known_teachers:Sectors"}, "images": {"source": images}}
    with pytest.raises(InputError, match=r"takes images of shape \(3, 18, 18\)"):
        open_story(parse_plan(content), teacher)
    content["images"] |= {"size": [18, 18], "color": "rgb"}
    story = open_story(parse_plan(content), teacher)
    assert story.images is not None
    assert story.images.image_shape == (3, 18, 18)


def test_held_out_images_are_all_of_a_folder_or_file_that_is_not_divided(tmp_path: Path) -> None:
    folders = ("photos", "labelled/ant", "labelled/bee", "divided/train", "divided/test", "rails/train", "rails/tram")
    for folder in folders:
        (tmp_path / folder).mkdir(parents=True)
        for number in range(3 if folder != "divided/test" else 2):
            Image.new("L", (16, 16), 40 * number).save(tmp_path / folder / f"{number}.png")
    pixels = np.zeros((4, 16, 16), np.uint8)
    np.save(tmp_path / "one.npy", pixels)
    np.savez(tmp_path / "whole.npz", images=pixels)
    np.savez(tmp_path / "halves.npz", images=pixels, images_test=pixels[:2])
    of_pictures = (("labelled", 6), ("divided", 2), ("rails", 6), ("labelled/ant/0.png", 1))
    for source, count in (*of_pictures, ("one.npy", 4), ("whole.npz", 4), ("halves.npz", 2)):
        held_out = _story(f"held_out.source={tmp_path / source}", images=str(tmp_path / "photos")).held_out
        assert held_out is not None
        assert len(held_out) == count
    for refused in (("photos",), ("labelled", "held_out.split=test")):
        with pytest.raises(DataError, match="has no test split"):
            _story(f"held_out.source={tmp_path / refused[0]}", *refused[1:], images=str(tmp_path / "photos"))


def test_replicas_open_the_teacher_by_its_uri_and_a_run_does_not_keep_them() -> None:
    uri = "python:logged_teacher:decide?input_shape=1,16,16&num_classes=4"
    content = read_settings(("cluster.replicas=3", "cluster.cpus=0.5", "cluster.address=auto"))
    plan = parse_plan({**content, "teacher": {"uri": uri}})
    assert plan.cluster is not None
    assert plan.teacher is not None
    cluster = open_cluster(plan.cluster, plan.teacher, "cpu")
    assert (cluster.address, cluster.replicas, cluster.cpus, cluster.gpus) == ("auto", 3, 0.5, 0.0)
    assert cluster.opening is not None
    assert cluster.opening().spec.input_shape == (1, 16, 16)
    assert set(plan.written()) == {"teacher"}
    with pytest.raises(PlanError, match=r"cluster\.replicas must be"):
        parse_plan(read_settings(("cluster.replicas=-1",)))
