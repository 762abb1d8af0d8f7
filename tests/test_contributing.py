"""What CONTRIBUTING shows is run: each example is written to a file of its own, and taken as a user would."""

import importlib
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import db3kd
from db3kd.acquisition import Acquisition
from db3kd.boundary import Method, Outcome, SampleDistance
from db3kd.data import from_arrays
from db3kd.pipeline.story import FixedLesson
from db3kd.plan import open_story, open_teacher, parse_plan, read_settings
from db3kd.pools import Pool
from db3kd.softening import Softening
from db3kd.teachers import FunctionTeacher
from db3kd.training import Committee, Recipe
from known_teachers import Ball
from made_answers import CLASSES, NONE, PRIORS, SHAPE, answered, decide, seeded
from questions import ask, measured, question

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "CONTRIBUTING.md").read_text()
EXAMPLES = dict(re.findall(r"```python\n# (\w+)\.py: ([^`]*)```", TEXT))
ONCE = Recipe(epochs=1, batch_size=64)
SMALL = Committee("lenet5-fifth", members=1, choosers=2, seen=200, recipe=ONCE)


@pytest.fixture(autouse=True)
def _files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The examples as modules that can be imported by their names."""
    for name, code in EXAMPLES.items():
        (tmp_path / f"{name}.py").write_text(f"# {code}")
    monkeypatch.syspath_prepend(tmp_path)
    yield
    for name in EXAMPLES:
        sys.modules.pop(name, None)


def _module(name: str) -> ModuleType:
    return importlib.import_module(name)


def _teacher() -> FunctionTeacher:
    def answer(images: NDArray[np.float32]) -> NDArray[np.int64]:
        decisions: NDArray[np.int64] = decide(torch.from_numpy(images)).numpy()
        return decisions

    return FunctionTeacher(answer, input_shape=SHAPE, num_classes=CLASSES)


IMAGES = from_arrays(PRIORS.draw(120, NONE, seeded(4)).pixels, name="some")


def test_there_is_an_example_of_each_kind() -> None:
    assert list(EXAMPLES) == ["halfway", "stripes", "doubt", "even"]
    assert len(re.findall(r"```python", TEXT)) == len(EXAMPLES)


def test_the_search_finds_crossings_for_one_query_each() -> None:
    method, teacher = _module("halfway").Halfway(), Ball(radius=8.0)
    assert isinstance(method, Method)
    asked = question(teacher, count=6)
    found, nearest = ask(asked, method, queries=1), ask(asked, SampleDistance(), queries=0)
    assert (found.queries == (found.outcomes == Outcome.FOUND)).all()
    crossed = found.distances.isfinite()
    assert crossed.any()
    assert (found.distances <= nearest.distances).all()
    assert (found.distances[crossed] < nearest.distances[crossed]).any()
    assert torch.equal(found.distances[crossed], measured(found.pairs, found.points)[crossed])
    none = ask(asked, method, queries=0)
    assert (none.outcomes[crossed] == Outcome.BUDGET).all()


def test_the_search_is_named_in_python() -> None:
    result = db3kd.distill(
        _teacher(),
        IMAGES,
        student="lenet5-fifth",
        search="halfway:Halfway",
        softening="proportional",
        recipe=ONCE,
        budget=2000,
    )
    assert result.distances is not None
    assert result.distances.method == "halfway"
    assert 0 < int(result.distances.queries.sum()) <= 120 * (CLASSES - 1)
    assert result.distances.distances.isfinite().any()


def test_the_pool_is_asked_about_and_learned_from() -> None:
    pool = _module("stripes").Stripes(SHAPE)
    assert isinstance(pool, Pool)
    first, again, other = (pool.draw(40, NONE, seeded(seed)) for seed in (1, 1, 2))
    assert torch.equal(first.pixels, again.pixels)
    assert not torch.equal(first.pixels, other.pixels)
    assert first.pixels.shape == (40, *SHAPE)
    assert len(pool.offspring(answered(), 30, seeded())) == 0
    result = db3kd.distill(
        _teacher(),
        pool=pool,
        acquisition="random",
        student="lenet5-fifth",
        committee=SMALL,
        recipe=ONCE,
        budget=200,
    )
    assert set(result.answers.origins) == {"stripes"}
    assert len(result.answers.histogram().nonzero()) > 1


def test_the_acquisition_chooses_what_the_committee_is_unsure_of() -> None:
    acquisition = _module("doubt").Doubt()
    assert isinstance(acquisition, Acquisition)
    candidates, believed = PRIORS.draw(300, NONE, seeded(1)), torch.full((2, 300, CLASSES), 0.001)
    believed[:, :, 0], believed[:, :30, 1] = 0.9, 0.9
    chosen = acquisition.choose(candidates, believed, NONE, 30, seeded(2))
    assert len(chosen.unique()) == 30
    assert int((chosen < 30).sum()) > 20
    result = db3kd.distill(
        _teacher(),
        IMAGES,
        acquisition="doubt:Doubt",
        student="lenet5-fifth",
        committee=SMALL,
        recipe=ONCE,
        budget=60,
    )
    assert len(result.answers) == len(set(result.answers.images.ids)) == 60


def test_the_softening_keeps_the_decision_on_top() -> None:
    softening = _module("even").Even()
    assert isinstance(softening, Softening)
    decisions = torch.tensor([2, 0])
    labels = softening(decisions, num_classes=CLASSES)
    assert torch.equal(labels.argmax(dim=1), decisions)
    assert labels.sum(dim=1).tolist() == pytest.approx([1, 1])
    assert labels[0, 2].item() == pytest.approx(0.9)
    result = db3kd.distill(
        _teacher(), IMAGES, student="lenet5-fifth", softening="even:Even", recipe=ONCE, budget=50, committee=SMALL
    )
    assert result.report.students[-1].name == "even"


def test_all_of_them_are_named_in_a_plan_as_they_are_shown() -> None:
    settings = re.findall(r"--set (\w[\w.]*=[\w.:]+)", TEXT)
    assert len(settings) == 4
    written = read_settings([*settings, "search.name=halfway:Halfway"])
    teacher = {"uri": "python:made_answers:decide", "input_shape": list(SHAPE), "num_classes": CLASSES}
    plan = parse_plan({"teacher": teacher, **written})
    assert plan.teacher is not None
    story = open_story(plan, open_teacher(plan.teacher))
    named = (story.measurement and story.measurement.method, story.pool, story.acquisition)
    assert [one and one.name for one in named] == ["halfway", "stripes", "doubt"]
    assert story.lesson == FixedLesson(softening=_module("even").Even(share=0.8))


def test_the_layers_that_are_shown_are_those_that_are_checked() -> None:
    linting = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    layers = [set(re.findall(r"\w+", line)) for line in linting["contracts"][0]["layers"]]
    rows = re.findall(r"^\| \d+ \| ([^|]*) \|", TEXT, flags=re.MULTILINE)
    assert [set(re.findall(r"`(\w+)`", row)) for row in rows] == layers[1:]
