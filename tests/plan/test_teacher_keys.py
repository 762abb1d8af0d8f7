"""A teacher's URI carries keys of its section as options."""

import pytest

from db3kd.errors import PlanError
from db3kd.plan import parse_plan
from db3kd.plan.teacher_keys import TeacherSection, taken_apart


def _section(**content: object) -> TeacherSection:
    section = parse_plan({"teacher": content}).teacher
    assert section is not None
    return section


def test_options_of_a_uri_are_the_keys_beside_it() -> None:
    options = "scale=255&channel_order=bgr&mean=1,2,3&deviation=4,5,6&resize=16,16&input_shape=3,20,20&levels=256"
    written = _section(uri=f"torch:x?{options}")
    keys: dict[str, object] = {"scale": 255, "channel_order": "bgr", "mean": [1, 2, 3], "deviation": [4, 5, 6]}
    assert written == _section(uri="torch:x", **keys, resize=[16, 16], input_shape=[3, 20, 20], levels=256)


def test_only_a_list_is_parted_at_its_commas_and_what_stands_beside_the_uri_is_left_alone() -> None:
    content = {"uri": "chat:http://x?model=a,b&class_names=ant,bee&prompt=", "levels": 2}
    assert taken_apart(content) == {
        "uri": "chat:http://x",
        "model": "a,b",
        "class_names": ["ant", "bee"],
        "prompt": "",
        "levels": 2,
    }
    assert content["uri"] == "chat:http://x?model=a,b&class_names=ant,bee&prompt="


@pytest.mark.parametrize(
    ("options", "told"),
    [("scale=255&scale=1", "twice"), ("scale=many", "scale"), ("brightness=2", "brightness"), ("mean=", "mean")],
)
def test_an_option_that_is_none_is_named(options: str, told: str) -> None:
    with pytest.raises(PlanError, match=told):
        _section(uri=f"torch:x?{options}")


def test_a_key_in_the_uri_and_beside_it_is_refused() -> None:
    with pytest.raises(PlanError, match="scale is given twice, in the URI and beside it"):
        _section(uri="torch:x?scale=255", scale=255)
