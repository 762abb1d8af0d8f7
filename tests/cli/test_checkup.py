"""`db3kd check-teacher`: a verdict before money is spent, and the lines for a plan."""

import tomllib
from pathlib import Path
from urllib.parse import quote

import pytest

from chat_server import NAMES, ChatHandler, ChatServer, chatting
from command_line import TEACHER, Caller
from known_teachers import Sectors
from logged_teacher import rows_seen

SHAPE = (1, 16, 16)


def test_check_teacher_gives_a_verdict_and_plan_lines(
    call: Caller, images: str, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ("check-teacher", TEACHER[1])
    found = call(*asked, "--data", images, "--json").figures
    assert found["verdict"] == "good"
    assert found["agreements"][0]["right"] == 12
    assert found["queries"] == rows_seen(log) <= 200
    assert found["plan"][0] == 'uri = "python:logged_teacher:decide"'
    assert "num_classes = 4" in call(*asked).out
    assert call(*asked, "--split", "train", "--queries", 8, "--json").figures["queries"] <= 8
    monkeypatch.setenv("LOGGED_FAILS_AFTER", "0")
    assert "the service is gone" in call(*asked, expect=4).err


def test_check_teacher_says_how_often_answers_are_no_class_and_whether_they_repeat(
    call: Caller, tmp_path: Path
) -> None:
    def script(handler: ChatHandler, number: int, name: str) -> str:
        return name if number % 4 else "It might be anything."

    server, names = ChatServer(Sectors(SHAPE), script), quote(",".join(NAMES))
    with chatting(server):
        teacher = f"chat:{server.url}?model=seer-1&input_shape=1,16,16&class_names={names}&in_flight=1"
        field = ("--set", 'teacher.request={seed = 1, more = {a = ["b"]}}')
        found = call("check-teacher", teacher, *field, "--json").figures
        shown = call("check-teacher", teacher, *field).out
    assert (found["queries"], found["bill"]["answers"], found["bill"]["off_list"]) == (32, 32, 8)
    assert (found["verdict"], found["changed"], found["alone"]) == ("off the list", 0, 0)
    assert "off the list" in shown
    assert "no class: 8" in shown
    # The lines for the plan are TOML.
    written = tomllib.loads(shown.partition("[teacher]\n")[2])
    assert written["request"] == {"seed": 1, "more": {"a": ["b"]}}
    assert written["class_names"] == list(NAMES)
    assert server.requests[0]["seed"] == 1
    assert "85 in, 3 out for a question" in shown
