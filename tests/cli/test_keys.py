"""`db3kd plan`: every key, with what it means."""

import json

from command_line import Caller


def test_plan_lists_every_key(call: Caller) -> None:
    keys = {(one["key"], one["where"]): one for one in json.loads(call("plan", "--json").out)}
    assert keys["search.directions", "guided"]["default"] == "20"
    assert keys["rounds.opening", ""]["type"] == "number > 0, <= 1"
    assert all(one["help"] for one in keys.values())
    shown = call("plan", "search").out
    assert "search.queries_per_pair" in shown
    assert "student" not in shown
    assert "images" in call("plan", "colour", expect=2).err
