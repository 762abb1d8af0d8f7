"""Every key is listed with what a user must know of it."""

import re
import tomllib

from db3kd.plan import parse_plan
from db3kd.plan.listing import all_keys, help_of


def test_every_key_has_a_type_and_a_sentence() -> None:
    for one in all_keys():
        assert one.type, one
        assert one.help, one
        assert "<" not in one.type.replace("< ", "").replace("<= ", ""), one


def test_what_is_left_out_is_told_in_words_that_a_plan_has() -> None:
    told = {one.key: one for one in all_keys()}
    # The regular expression lets the one sentence pass that says what Python has.
    assert not [one for one in all_keys() if re.search(r"None(?! in Python)", f"{one.type} {one.default} {one.help}")]
    assert told["search.queries_per_pair"].help.endswith("; left out, what is usual of the method.")
    assert "Left out, no such end." in told["rounds.target_agreement"].help
    # What these two are without a section is not what their objects have by themselves.
    assert told["lesson.kind"].default == told["student.architecture"].default == ""


def test_a_default_that_is_shown_is_one_that_can_be_written() -> None:
    for one in all_keys():
        names = one.where.split(", ")
        if not one.default or one.key.endswith((".name", ".kind")):
            continue
        section, *key = one.key.split(".")
        naming = {"search": "name", "acquisition": "name", "pool": "kind", "lesson": "kind"}
        content: dict[str, object] = {naming[section]: names[0]} if section in naming else {}
        required = {"teacher": {"uri": "x"}, "images": {"source": "x"}, "held_out": {"source": "x"}}
        content |= required.get(section, {}) | ({"architecture": "x"} if section == "train" else {})
        inner = content
        for name in key[:-1]:
            inner = inner.setdefault(name, {})  # type: ignore[assignment]  # a table
        inner[key[-1]] = tomllib.loads(f"x = {one.default}")["x"]
        assert getattr(parse_plan({section: content}), section) is not None


def test_the_help_of_a_key() -> None:
    assert help_of("budget.total") == "Most queries of all stages together."
