"""What a user writes in several places, put together."""

from pathlib import Path

import pytest

from db3kd.errors import PlanError
from db3kd.plan import merged, read_plan, read_settings


def test_a_setting_has_a_value_of_toml_or_is_a_word() -> None:
    found = read_settings(["a.x=1", "a.y=[1, 2]", "b.z=mbd", 'b.w="1"', "b.t=true", "c.d.e=torch:a@b=c"])
    assert found == {
        "a": {"x": 1, "y": [1, 2]},
        "b": {"z": "mbd", "w": "1", "t": True},
        "c": {"d": {"e": "torch:a@b=c"}},
    }
    for wrong in ("x", "=3", "a.=3", ".x=3"):
        with pytest.raises(PlanError, match=r"section\.key=value"):
            read_settings([wrong])


def test_a_later_place_holds_key_by_key() -> None:
    file = {"search": {"name": "mbd", "directions": 9}, "lesson": {"softening": "inverse"}}
    later = read_settings(["search.directions=3", "lesson.softening.temperature=2", "pool=priors"])
    assert merged(file, later) == {
        "search": {"name": "mbd", "directions": 3},
        "lesson": {"softening": {"name": "inverse", "temperature": 2}},
        "pool": {"kind": "priors"},
    }
    assert merged(file, read_settings(["search=bd"]))["search"] == {"name": "bd", "directions": 9}
    assert merged(later, read_settings(['pool=["images", "priors"]']))["pool"] == {"kind": "images+priors"}


def test_options_of_a_teacher_are_its_keys_wherever_they_stand() -> None:
    kept = {"teacher": {"uri": "python:a:b", "num_classes": 4, "max_batch": 9}}
    assert merged(kept, {"teacher": "python:a:b?num_classes=5"})["teacher"] == {
        "uri": "python:a:b",
        "num_classes": "5",
        "max_batch": 9,
    }
    with pytest.raises(PlanError, match="twice"):
        merged({"teacher": {"uri": "python:a:b?num_classes=5", "num_classes": 4}})


def test_a_file_that_is_no_plan_is_named(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match=r"none\.toml cannot be read"):
        read_plan(tmp_path / "none.toml")
    (tmp_path / "plan.toml").write_text("[x")
    with pytest.raises(PlanError, match=r"plan\.toml is no TOML"):
        read_plan(tmp_path / "plan.toml")
