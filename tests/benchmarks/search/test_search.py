"""The bench measures what it says, on a network small enough for a test."""

import json
from dataclasses import asdict, replace

import pytest
import torch
from torch import nn

from benchmarks.command import json_of
from benchmarks.search import BenchSettings, SearchBench, SearchFigures, measure_searches
from db3kd.data import Dataset, from_arrays
from db3kd.errors import PlanError
from db3kd.training import Committee, Recipe

SHAPE = (1, 6, 6)
CLASSES = 3
SETTINGS = BenchSettings(
    pairs=7,
    exemplars=(1, 3),
    sign_opt_queries=(250, 500),
    guided_queries=(10, 40),
    committee=Committee(
        "made_networks:two_layers", members=1, recipe=Recipe("adam", 0.01, 3, 16), mixtures_per_image=2.0, subspace=8
    ),
    speed_rows=400,
    bare_seconds=0.001,
    whitebox_steps=60,
)


def network() -> nn.Sequential:
    generator = torch.Generator().manual_seed(0)
    layer = nn.Linear(36, CLASSES)
    with torch.no_grad():
        layer.weight.copy_(torch.randn(CLASSES, 36, generator=generator))
        layer.bias.copy_(-layer.weight.sum(dim=1) / 2)
    return nn.Sequential(nn.Flatten(), layer)


def images(count: int = 60) -> Dataset:
    return from_arrays(torch.rand(count, *SHAPE, generator=torch.Generator().manual_seed(1)), name="noise")


@pytest.fixture(scope="module")
def bench() -> SearchBench:
    return measure_searches(network(), images(), teacher="linear", num_classes=CLASSES, settings=SETTINGS)


def figure(bench: SearchBench, name: str, setting: str) -> SearchFigures:
    (found,) = (entry for entry in bench.searches if (entry.name, entry.setting) == (name, setting))
    return found


def test_every_setting_has_its_figures(bench: SearchBench) -> None:
    assert [(entry.name, entry.setting) for entry in bench.searches] == [
        ("sd", "exemplars=all 60"),
        ("bd", "exemplars=1, order=nearest"),
        ("bd", "exemplars=3, order=nearest"),
        ("bd", "exemplars=1, order=random"),
        ("bd", "exemplars=3, order=random"),
        ("mbd", "queries=250"),
        ("mbd", "queries=500"),
        ("guided", "committee=1, queries=10"),
        ("guided", "committee=1, queries=40"),
        ("guided", "committee=0, queries=10"),
        ("guided", "committee=0, queries=40"),
    ]
    assert all(entry.not_found == 0 for entry in bench.searches)


def test_searches_are_ordered_as_theory_says(bench: SearchBench) -> None:
    ratios = [
        figure(bench, name, setting).ratio_to_whitebox_mean or 0.0
        for name, setting in (
            ("sd", "exemplars=all 60"),
            ("bd", "exemplars=1, order=nearest"),
            ("bd", "exemplars=3, order=nearest"),
            ("mbd", "queries=250"),
            ("mbd", "queries=500"),
        )
    ]
    assert ratios == sorted(ratios, reverse=True)
    # A linear boundary in 36 dimensions: the yardstick is nearly exact, and MBD comes near to it.
    assert 0.95 < ratios[-1] < 1.5
    assert ratios[0] > ratios[-1]


def test_queries_are_those_really_spent(bench: SearchBench) -> None:
    assert bench.pool_queries == 60
    assert bench.pairs == 7
    assert figure(bench, "sd", "exemplars=all 60").queries_per_pair == 0
    assert 5 < figure(bench, "bd", "exemplars=1, order=nearest").queries_per_pair < 25
    guided, alone = (figure(bench, "guided", f"committee={count}, queries=40") for count in (1, 0))
    assert 10 < guided.queries_per_pair <= 40
    assert (guided.committee_queries, alone.committee_queries) == (120, 0)
    assert 200 < figure(bench, "mbd", "queries=250").queries_per_pair <= 250
    assert 250 < figure(bench, "mbd", "queries=500").queries_per_pair <= 500


def test_speeds_are_compared_with_the_bare_teacher(bench: SearchBench) -> None:
    for entry in bench.searches[1:]:
        assert entry.rows_per_second is not None
        assert entry.rows_per_call is not None
        assert entry.bare_rows_per_second is not None
        assert entry.share_of_bare == pytest.approx(entry.rows_per_second / entry.bare_rows_per_second)
        assert 1 <= entry.rows_per_call <= SETTINGS.max_batch
    # 400 rows of speed measurement need more than the 4 images of the comparison.
    one = figure(bench, "bd", "exemplars=1, order=nearest")
    assert one.rows_per_call is not None
    assert one.rows_per_call > 7


def test_the_committees_own_work_has_figures_of_its_own(bench: SearchBench) -> None:
    guided, alone = (figure(bench, "guided", f"committee={count}, queries=40") for count in (1, 0))
    assert guided.committee_seconds is not None
    assert guided.committee_seconds > 0
    assert alone.committee_seconds == 0


def test_json_holds_what_a_script_would_check(bench: SearchBench) -> None:
    figures = json.loads(json_of(asdict(bench)))
    assert figures["format"] == 2
    assert figures["bare_rows_per_second"] > 0
    assert figures["whitebox_mean"] > 0
    assert set(figures["bare"]) == {"batch", "memory_layout"}
    assert {"teacher", "images", "seed", "whitebox_median"} <= set(figures)
    assert {
        "name",
        "setting",
        "queries_per_pair",
        "ratio_to_whitebox_mean",
        "ratio_to_whitebox_median",
        "not_found",
        "below_whitebox",
        "rows_per_second",
        "rows_per_call",
    } <= set(figures["searches"][0])


def test_the_same_seed_gives_the_same_distances(bench: SearchBench) -> None:
    # More images for the speed change no distance of the comparison.
    settings = replace(SETTINGS, speed_rows=1, sign_opt_queries=())
    heard: list[SearchFigures] = []

    again = measure_searches(
        network(), images(), teacher="linear", num_classes=CLASSES, settings=settings, on_search=heard.append
    )

    assert tuple(heard) == again.searches
    assert again.whitebox_mean == bench.whitebox_mean
    for entry in again.searches:
        before = figure(bench, entry.name, entry.setting)
        assert entry.ratio_to_whitebox_mean == before.ratio_to_whitebox_mean
        assert entry.queries_per_pair == before.queries_per_pair


def test_a_class_that_the_teacher_never_gives_is_counted_as_not_found() -> None:
    teacher = network()
    layer = teacher[1]
    assert isinstance(layer, nn.Linear)
    with torch.no_grad():
        layer.bias[2] = -1e6
    settings = replace(SETTINGS, pairs=8, exemplars=(1,), sign_opt_queries=(10,))

    bench = measure_searches(teacher, images(), teacher="linear", num_classes=CLASSES, settings=settings)

    assert bench.whitebox_not_found == 4
    assert [entry.not_found for entry in bench.searches] == [4] * len(bench.searches)
    assert all((entry.ratio_to_whitebox_mean or 0) > 0.9 for entry in bench.searches)
    json_of(asdict(bench))


def test_too_few_images_and_impossible_settings_are_refused() -> None:
    with pytest.raises(PlanError, match="7 pairs need 4 images, got 3"):
        measure_searches(network(), images(3), teacher="linear", num_classes=CLASSES, settings=SETTINGS)
    with pytest.raises(PlanError, match="at least 1 pair"):
        BenchSettings(pairs=0)


def test_a_teacher_that_says_one_class_only_is_refused() -> None:
    teacher = network()
    layer = teacher[1]
    assert isinstance(layer, nn.Linear)
    with torch.no_grad():
        layer.bias[0] = 1e6

    with pytest.raises(PlanError, match="no crossing"):
        measure_searches(teacher, images(), teacher="linear", num_classes=CLASSES, settings=SETTINGS)
