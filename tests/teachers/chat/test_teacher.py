"""A vision model behind a prompt decides as the classifier behind it does, and each token is on the bill."""

import io
import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from chat_server import NAMES, USAGE, ChatHandler, ChatServer, chatting, completion
from db3kd.errors import InvalidDecision, NotServed, PlanError, Rejected, TeacherError
from db3kd.ledger import Bill, Ledger
from db3kd.oracle import Oracle
from db3kd.teachers import Preparation, PreparedTeacher, Service, Teacher
from db3kd.teachers.chat import ChatOptions, ChatTeacher, Prompt
from db3kd.teachers.chat.picture import Picture
from db3kd.tensors import Float, Int, Tensor
from known_teachers import Sectors
from made_clock import stopped

SHAPE = (3, 6, 5)
KNOWN = Sectors(SHAPE)
IMAGES = torch.randint(256, (30, *SHAPE), generator=torch.Generator().manual_seed(0)).to(torch.float32) / 255
PROMPT = Prompt(NAMES)
QUICK = ChatOptions(timeout=90.0, service=Service(in_flight=4, patience=5.0))
EXPECTED = KNOWN(IMAGES)


def _open(server: ChatServer, options: ChatOptions = QUICK, prompt: Prompt = PROMPT) -> ChatTeacher:
    return ChatTeacher(server.url, "seer-1", prompt, image_shape=SHAPE, options=options)


def _ask(
    teacher: Teacher, images: Float[Tensor, "n c h w"] = IMAGES, attempts: int = 5
) -> tuple[Int[Tensor, " n"], int, Bill]:
    """Decisions, what was charged, and the bill."""
    with Ledger(None) as ledger, ledger.account("label") as account:
        decisions = Oracle(teacher, account, attempts=attempts, pause=0.01)(images)
        return decisions, account.spent, ledger.statement().bill


@pytest.mark.parametrize("structured", [False, True])
@pytest.mark.parametrize("shape", [(1, 6, 5), (3, 6, 5)])
def test_each_image_is_asked_once_and_the_name_is_the_class(shape: tuple[int, int, int], structured: bool) -> None:
    known, images = Sectors(shape), IMAGES[:, : shape[0]].contiguous()

    def script(handler: ChatHandler, number: int, name: str) -> str:
        return f'{{"class": "{name}"}}' if structured else name

    server, prompt = ChatServer(known, script), Prompt(NAMES, structured=structured)
    with chatting(server):
        teacher = ChatTeacher(server.url, "seer-1", prompt, image_shape=shape, options=QUICK)
        decisions, charged, bill = _ask(teacher, images)
    assert torch.equal(decisions, known(images))
    assert (charged, server.served, bill) == (30, 30, Bill(30, 0, 30 * 85, 30 * 3))
    asked = server.requests[0]
    assert (asked["model"], asked["temperature"], asked["max_tokens"]) == ("seer-1", 0.0, 64)
    assert asked.get("response_format") == prompt.response_format
    assert asked["messages"][0]["content"][0] == {"type": "text", "text": prompt.text}


def test_a_picture_is_of_the_format_and_size_that_were_said() -> None:
    server = ChatServer(Sectors((1, 12, 10)))
    options = replace(QUICK, picture=Picture("jpeg", 70, "low"), request={"seed": 1, "max_completion_tokens": 9})
    with chatting(server):
        inside = ChatTeacher(server.url, "seer-1", PROMPT, image_shape=(1, 12, 10), options=options)
        _ask(PreparedTeacher(inside, Preparation(resize=(12, 10)), image_shape=(1, 6, 5)), IMAGES[:1, :1])
    picture = Image.open(io.BytesIO(server.images[0]))
    assert (picture.format, picture.size, picture.mode) == ("JPEG", (10, 12), "L")
    (_, part) = server.requests[0]["messages"][0]["content"]
    assert part["image_url"]["detail"] == "low"
    assert part["image_url"]["url"].startswith("data:image/jpeg;base64,")
    assert (server.requests[0]["seed"], server.requests[0].get("max_tokens")) == (1, None)
    assert "jpeg of 70%, 10x12" in inside.assumptions[0]


def test_prose_wrong_names_and_refusals_are_abstentions_and_are_billed() -> None:
    def script(handler: ChatHandler, number: int, name: str) -> str | None:
        match number:
            case 3:
                return f"The image shows a {name}."
            case 5:
                return "wolf"
            case 8:
                handler.serve(completion(None, refusal="I cannot help with that."))
            case 9:
                # As OpenAI and Azure say it before the model has looked.
                handler.send(400, {"error": {"message": "no", "code": "content_filter"}})
            case _:
                return name
        return None

    server = ChatServer(KNOWN, script)
    with chatting(server):
        teacher = _open(server, replace(QUICK, service=Service()))
        decisions, charged, bill = _ask(teacher)
    expected = EXPECTED.clone()
    expected[[2, 4, 7, 8]] = 5
    assert torch.equal(decisions, expected)
    assert teacher.spec.abstains
    assert (charged, server.served) == (30, 29)
    assert bill == Bill(30, 1, 29 * 85, 29 * 3, off_list=2, refused=2)


def test_being_asked_to_wait_costs_nothing_and_a_lost_answer_is_told() -> None:
    def script(handler: ChatHandler, number: int, name: str) -> str | None:
        if 2 <= number <= 9:
            handler.send(429, {"error": {"message": "slow down"}}, retry_after="0.01")
        elif number == 15:
            handler.serve(completion(name), cut=20)
        elif number == 20:
            handler.send(500, {"error": {"message": "out of memory"}})
        else:
            return name
        return None

    server = ChatServer(KNOWN, script)
    with chatting(server):
        decisions, charged, bill = _ask(_open(server))
    assert torch.equal(decisions, EXPECTED)
    assert (charged, server.served) == (32, 31)
    assert bill == Bill(30, 0, 30 * 85, 30 * 3, lost=2)


def test_an_answer_that_is_no_completion_ends_asking_and_is_billed() -> None:
    def script(handler: ChatHandler, number: int, name: str) -> None:
        handler.serve({"error": {"message": f"for {handler.headers['Authorization']}"}, "usage": USAGE})

    server = ChatServer(KNOWN, script)
    with chatting(server), Ledger(None) as ledger, ledger.account("label") as account:
        with pytest.raises(InvalidDecision, match="chat completion"):
            Oracle(_open(server), account)(IMAGES[:1])
        assert ledger.statement().bill == Bill(1, 0, 85, 3)


def test_a_status_for_good_is_said_in_the_servers_words() -> None:
    def script(handler: ChatHandler, number: int, name: str) -> None:
        handler.send(404, {"error": {"message": "there is no model seer-1", "code": "model_not_found"}})

    server = ChatServer(KNOWN, script)
    with chatting(server), pytest.raises(Rejected, match="404: there is no model seer-1;") as caught:
        _ask(_open(server))
    assert caught.value.code == "model_not_found"


@pytest.mark.parametrize(
    ("structured", "status", "told"), [(True, 400, True), (True, 422, True), (False, 400, False), (True, 401, False)]
)
def test_where_a_server_does_not_know_structured_answers_the_way_out_is_told(
    structured: bool, status: int, told: bool
) -> None:
    def script(handler: ChatHandler, number: int, name: str) -> None:
        handler.send(status, {"error": {"message": "unknown field", "code": "invalid_request"}})

    server = ChatServer(KNOWN, script)
    with chatting(server), pytest.raises(Rejected, match=f"{status}: unknown field;") as caught:
        _ask(_open(server, prompt=Prompt(NAMES, structured=structured)))
    assert ("teacher.structured left out" in str(caught.value)) == told
    assert (caught.value.code, caught.value.status, len(server.requests)) == ("invalid_request", status, 1)


class TestKey:
    """A key goes to the server that was named, and nowhere else."""

    def test_it_is_sent_and_shown_nowhere(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setenv("SEER_KEY", "s3cret-k3y")

        def script(handler: ChatHandler, number: int, name: str) -> str | None:
            told = f"your header was {handler.headers['Authorization']}"
            if number == 1:
                return told
            handler.serve({"told": told}) if number == 2 else handler.send(401, {"error": {"message": told}})
            return None

        server, shown = ChatServer(KNOWN, script), ""
        with chatting(server), caplog.at_level(logging.DEBUG):
            teacher = _open(server, replace(QUICK, token_env="SEER_KEY"))
            assert _ask(teacher, IMAGES[:1])[0].tolist() == [5]
            for error in (InvalidDecision, Rejected):
                with pytest.raises(error) as caught:
                    _ask(teacher, IMAGES[:1])
                assert "your header was Bearer ***" in str(caught.value)
                shown += str(caught.value)
        assert [sent["Authorization"] for sent in server.headers] == ["Bearer s3cret-k3y"] * 3
        shown += f"{caplog.text} {teacher.spec!r} {teacher.assumptions} {vars(teacher)!r} {vars(teacher._connection)!r}"
        assert "s3cret" not in shown

    def test_openais_key_is_for_openai_alone(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OPENAI_API_KEY", "s3cret-k3y")
        server = ChatServer(KNOWN)
        with chatting(server):
            _ask(_open(server), IMAGES[:1])
        assert "Authorization" not in server.headers[0]
        monkeypatch.delenv("OPENAI_API_KEY")
        with pytest.raises(PlanError, match="OPENAI_API_KEY"):
            ChatTeacher("https://api.openai.com/v1", "seer-1", PROMPT, image_shape=SHAPE)


def _fingerprint(url: str = "http://localhost:1/v1", prompt: Prompt = PROMPT, **options: Any) -> str:
    made = ChatTeacher(url, "seer-1", prompt, image_shape=SHAPE, options=ChatOptions(**options))
    return made.spec.fingerprint


def test_another_prompt_model_or_option_is_another_teacher_and_another_way_to_call_is_not() -> None:
    others: list[Mapping[str, Any]] = [
        {},
        {"url": "http://localhost:2/v1"},
        {"prompt": Prompt(NAMES, template="{classes}?")},
        {"prompt": Prompt(NAMES, structured=True)},
        {"prompt": Prompt(NAMES[::-1])},
        {"prompt": Prompt(NAMES, ("purrs", "barks", "", "", ""))},
        {"temperature": 1.0},
        {"max_tokens": 5},
        {"request": {"seed": 1}},
        {"picture": Picture("webp")},
        {"fingerprint": "2026-11"},
    ]
    assert len({_fingerprint(**other) for other in others}) == len(others)
    assert _fingerprint(timeout=1.0, service=Service(in_flight=2)) == _fingerprint()
    assert _fingerprint("http://localhost:1/v1/chat/completions/") == _fingerprint()


@pytest.mark.parametrize(
    "url", ["localhost:1/v1", "http://localhost:1/v1#a", "http://[::1/v1", "http://h:99999/v1", ""]
)
def test_a_url_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(PlanError):
        _fingerprint(url)


def test_what_cannot_be_asked_is_refused() -> None:
    with pytest.raises(PlanError, match="messages"):
        ChatOptions(request={"messages": []})
    with pytest.raises(PlanError, match="JSON"):
        _fingerprint(request={"seed": 2**70})
    with pytest.raises(PlanError, match="1 channel or 3"):
        ChatTeacher("http://localhost:1/v1", "seer-1", PROMPT, image_shape=(4, 8, 8))


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20) | st.sampled_from(NAMES),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(max_size=5), inside, max_size=3),
    max_leaves=6,
)  # fmt: skip
_MESSAGE = st.fixed_dictionaries(
    {}, optional={"content": _JSON | st.sampled_from(NAMES), "refusal": _JSON, "tool_calls": _JSON}
)
_CHOICE = st.fixed_dictionaries({}, optional={"message": _MESSAGE | _JSON, "finish_reason": _JSON, "index": _JSON})
_USAGE = st.fixed_dictionaries({}, optional={"prompt_tokens": _JSON, "completion_tokens": _JSON})
_ERROR = st.fixed_dictionaries({}, optional={"message": _JSON, "code": _JSON | st.just("content_filter")})
_ANSWER = _JSON | st.fixed_dictionaries(
    {},
    optional={
        "choices": st.lists(_CHOICE | _JSON, max_size=2) | _JSON,
        "usage": _USAGE | _JSON,
        "error": _ERROR | _JSON,
    },
)
_STATUS = st.sampled_from(
    [200, 200, 200, 201, 204, 301, 307, 400, 401, 403, 404, 408, 418, 422, 429, 500, 503, 529, 599]
)
_HEADER = st.sampled_from(
    ["", "0", "-1", "nan", "inf", "soon", "Thu, 01 Jan 1970 00:00:00 GMT", "http://[::1", "/v1/x"]
)


@pytest.fixture(scope="module")
def lively() -> Iterator[tuple[ChatServer, ChatTeacher]]:
    with chatting(ChatServer(KNOWN)) as server:
        yield server, _open(server, ChatOptions(timeout=90.0, service=Service()))


@settings(max_examples=100, deadline=None)
@given(status=_STATUS, answer=_ANSWER, header=_HEADER, cut=st.sampled_from([0, 0, 0, 3]))
@pytest.mark.slow
def test_any_answer_is_a_decision_an_abstention_or_an_error_of_ours(
    lively: tuple[ChatServer, ChatTeacher], status: int, answer: object, header: str, cut: int
) -> None:
    def script(handler: ChatHandler, number: int, name: str) -> None:
        handler.send(status, answer, location=header, retry_after=header, cut=cut)

    server, teacher = lively
    server.script = script
    paid = 1
    with Ledger(None) as ledger, ledger.account("label") as account:
        try:
            decisions = teacher(IMAGES[:1])
        except TeacherError as error:
            # One of ours; any other error fails the test.
            teacher._meter.read_off()
            paid = int(not isinstance(error, NotServed))
        else:
            assert 0 <= int(decisions) <= len(NAMES)
            assert teacher._meter.read_off().answers == 1
        with suppress(TeacherError):
            Oracle(teacher, account, attempts=1)(IMAGES[:1])
        assert account.spent == paid


def test_a_rate_limit_and_requests_in_flight_are_those_of_other_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    together, waits = threading.Barrier(3, timeout=60), stopped(monkeypatch)

    def wait_for_the_others(handler: ChatHandler, number: int, name: str) -> str:
        # The first image goes alone, and the next three at once.
        if 2 <= number <= 4:
            together.wait()
        return name

    with chatting(ChatServer(KNOWN, wait_for_the_others)) as server:
        options = replace(QUICK, service=Service(in_flight=3, rows_per_second=200.0))
        decisions, _, _ = _ask(_open(server, options))
    assert torch.equal(decisions, EXPECTED)
    # 30 rows at 200 a second: the last goes after 145 milliseconds.
    assert sorted(waits) == pytest.approx([0.005 * row for row in range(30)])
