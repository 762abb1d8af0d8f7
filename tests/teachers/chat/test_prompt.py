"""The question in words: names, descriptions, a template of one's own, and the schema of an answer."""

from collections.abc import Callable

import pytest

from db3kd.errors import PlanError
from db3kd.teachers.chat import Prompt

NAMES = ("cat", "dog")


def test_names_and_descriptions_stand_in_the_words() -> None:
    assert Prompt(NAMES, ("", "also a wolf")).text == (
        "Which one of these classes does the image show?\n- cat\n- dog: also a wolf\n"
        "Answer with the name of the class, exactly as it is written here, and with nothing else."
    )
    assert Prompt(NAMES, template="Cat or dog? {classes} {yes}").text == "Cat or dog? - cat\n- dog {yes}"
    assert Prompt(NAMES).response_format is None


def test_a_structured_answer_is_one_of_the_names() -> None:
    prompt = Prompt(NAMES, structured=True)
    assert "JSON" in prompt.text
    assert prompt.response_format == {
        "type": "json_schema",
        "json_schema": {
            "name": "decision",
            "strict": True,
            "schema": {
                "type": "object",
                "properties": {"class": {"type": "string", "enum": ["cat", "dog"]}},
                "required": ["class"],
                "additionalProperties": False,
            },
        },
    }


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (lambda: Prompt(("cat",)), "two names"),
        (lambda: Prompt(("cat", " ")), "empty"),
        (lambda: Prompt(("cat", "dog", "CAT ")), r"differ.*'cat'"),
        (lambda: Prompt(NAMES, ("a",)), "class_descriptions"),
        (lambda: Prompt(NAMES, template="What is it?"), r"\{classes\}"),
    ],
)
def test_a_prompt_that_cannot_be_asked_is_refused(made: Callable[[], Prompt], told: str) -> None:
    with pytest.raises(PlanError, match=told):
        made()
