"""A name alone is a class; prose, other names and refusals are none; tokens are what the server says they are."""

from typing import Any

import pytest

from chat_server import NAMES, completion
from db3kd.errors import InvalidDecision
from db3kd.ledger import Bill
from db3kd.teachers.chat.reading import Names, read_answer, read_bill

KNOWN = Names(NAMES)


@pytest.mark.parametrize(
    ("text", "decision"),
    [
        ("cat", 0),
        (" Cat.\n", 0),
        ("**DOG**", 1),
        ("“big  bird”!", 2),
        ("C++", 3),
        ("`c++`", 3),
        ("7", 4),
        ("7.", 4),
        ('{"class": "dog"}', 1),
        ('{"class": "Dog.", "why": "it barks"}', 1),
        ('```json\n{"class": 7}\n```', 4),
        ("```\ndog\n```", 1),
    ],
)
def test_a_name_is_a_class_whatever_its_case_and_the_punctuation_around_it(text: str, decision: int) -> None:
    reading = read_answer(completion(text), KNOWN)
    assert (reading.kind, reading.decision) == ("decided", decision)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "The image shows a cat.",
        "cat, or a dog",
        "cats",
        "bird",
        "c at",
        "77",
        '{"class": "wolf"}',
        '{"name": "cat"}',
        '{"class": ["cat"]}',
        '{"class": true}',
        '{"class": "cat"} I am sure.',
        "Here it is: ```cat```",
        "?!",
        None,
    ],
)
def test_all_else_is_no_class(text: str | None) -> None:
    reading = read_answer(completion(text), KNOWN)
    assert (reading.kind, reading.decision) == ("off list", None)


def test_names_that_differ_in_punctuation_alone_are_told_apart_or_not_taken() -> None:
    names = Names(("C", "C++", "D"))
    assert [names.find(text) for text in ("c", "C++", "c.", "d.")] == [0, 1, None, 2]


def test_a_refusal_is_told_from_a_wrong_name() -> None:
    declined = completion(None, refusal="I cannot look at that.")
    filtered = completion("cat")
    filtered["choices"][0]["finish_reason"] = "content_filter"
    assert [read_answer(answer, KNOWN).kind for answer in (declined, filtered)] == ["refused", "refused"]


def test_a_message_in_parts_is_put_together() -> None:
    assert read_answer(completion([{"type": "text", "text": "d"}, "og", {"type": "other"}]), KNOWN).decision == 1


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"choices": []},
        {"choices": {}},
        {"choices": [None]},
        {"choices": [{"message": "cat"}]},
        {"choices": [{"message": {"content": 7}}]},
        {"choices": [{"message": {"content": [{"text": 7}]}}]},
        {"error": {"message": "overloaded", "code": 529}},
    ],
)
def test_what_is_no_completion_is_an_error_that_shows_it(answer: dict[str, Any]) -> None:
    with pytest.raises(InvalidDecision, match="expected a"):
        read_answer(answer, KNOWN)


@pytest.mark.parametrize(
    ("usage", "bill"),
    [
        ({"prompt_tokens": 85, "completion_tokens": 3}, Bill(1, 0, 85, 3)),
        ({"prompt_tokens": 85}, Bill(1, 1)),
        ({"prompt_tokens": True, "completion_tokens": 3}, Bill(1, 1)),
        ({"prompt_tokens": -1, "completion_tokens": 3}, Bill(1, 1)),
        ({"prompt_tokens": 10**30, "completion_tokens": 3}, Bill(1, 1)),
        ("many", Bill(1, 1)),
        (None, Bill(1, 1)),
    ],
)
def test_tokens_are_those_of_the_server_or_not_counted(usage: object, bill: Bill) -> None:
    assert read_bill({"usage": usage}, "decided") == bill


def test_answers_that_are_no_class_are_counted_by_kind() -> None:
    assert read_bill(completion("x"), "off list") == Bill(1, 0, 85, 3, off_list=1)
    assert read_bill(completion("x"), "refused") == Bill(1, 0, 85, 3, refused=1)
