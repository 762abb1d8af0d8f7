"""Keys of a plan are the options of the objects that it names; faults are told together."""

import dataclasses
import re

import pytest

from db3kd.errors import PlanError
from db3kd.names import ACQUISITIONS, SEARCHES, SOFTENINGS, find
from db3kd.plan import parse_plan
from db3kd.plan.schema import sections_of


@pytest.mark.parametrize("name", SEARCHES)
def test_a_search_brings_its_keys(name: str) -> None:
    options = find(SEARCHES, name)
    assert isinstance(options, type)
    fields = {field.name for field in dataclasses.fields(options)}
    keys = set(sections_of({"search": {"name": name}})["search"].model_fields)
    assert keys == fields | {"name", "queries_per_pair", "snapshots"}


def test_what_was_written_is_a_plan_again() -> None:
    content = {
        "teacher": {"uri": "torch:x?num_classes=4"},
        "search": {"name": "mbd", "start": {"exemplars": 2}, "snapshots": [1, 2]},
        "lesson": {"softening": {"name": "inverse", "temperature": 3}, "classes": True},
        "pool": {"kind": "repulsion", "search": "bd", "committee": {"members": 2}},
        "acquisition": {"name": "test_own:Own", "anything": 3},
        "student": {"epochs": 4, "architecture": "lenet5"},
        "budget": {"total": 5},
    }
    plan = parse_plan({**content, "acquisition": {"name": "db3kd.acquisition:Random"}})
    kept = plan.written()
    assert kept["teacher"] == {"uri": "torch:x", "num_classes": 4}
    assert kept["lesson"] == {"softening": {"name": "inverse", "temperature": 3.0}, "classes": "true"}
    assert kept["pool"] == {"kind": "repulsion", "search": {"name": "bd"}, "committee": {"members": 2}}
    assert parse_plan(kept).written() == kept


def test_all_faults_are_in_one_message() -> None:
    with pytest.raises(PlanError) as raised:
        parse_plan(
            {
                "search": {"name": "bd", "directions": 3, "tolerance": 2},
                "lesson": {"trust": 1},
                "pool": {"kind": "prior"},
                "acquisition": {"name": ""},
                "rounds": {"opening": 0, "halvings": "x"},
                "images": {"split": "all"},
                "colour": {},
            }
        )
    told = str(raised.value)
    for part in (
        "search.directions is unknown: expected one of name, queries_per_pair, snapshots, exemplars, order, tolerance",
        "search.tolerance must be less than 1, got 2",
        "lesson.trust is unknown",
        "pool.kind: the name 'prior' is unknown: expected one of images, priors, surrogates, repulsion",
        f"expected one of {', '.join(ACQUISITIONS)}",
        "rounds.opening must be greater than 0, got 0",
        "rounds.halvings must be a valid integer",
        "images.source is missing",
        "images.split must be 'train' or 'test'",
        "colour is unknown",
    ):
        assert part in told, part


@pytest.mark.parametrize("name", SOFTENINGS)
def test_a_softening_is_a_name_or_a_table(name: str) -> None:
    for written in (name, {"name": name}):
        lesson = parse_plan({"lesson": {"softening": written}}).lesson
        assert lesson is not None
        assert lesson.open().softening.name == name
    warmer = parse_plan({"lesson": {"softening": {"name": name, "temperature": 3}}}).lesson
    assert warmer is not None
    assert warmer.open().softening.temperature == 3


@pytest.mark.parametrize(
    ("pool", "told"),
    [
        (
            {"kind": "images+prior"},
            "pool.kind: the name 'prior' is unknown: expected one of images, priors, surrogates",
        ),
        ({"kind": "images+priors", "children": 0.1}, "pool.children is unknown: expected one of kind"),
        ({"kind": "priors+repulsion"}, "pool.kind: the name 'repulsion' is unknown"),
        ([1, 2], "pool must be"),
        ([], "pool must be"),
    ],
)
def test_several_pools_are_known_and_have_no_options(pool: object, told: str) -> None:
    assert parse_plan({"pool": {"kind": "images+priors"}}).written()["pool"] == {"kind": "images+priors"}
    with pytest.raises(PlanError, match=re.escape(told)):
        parse_plan({"pool": pool})
