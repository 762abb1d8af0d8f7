"""A vision model of the plan: every key reaches the request, and the usual ones are left to their defaults."""

import base64
import io

import torch
from PIL import Image

from chat_server import NAMES, ChatServer, chatting
from db3kd.plan import open_teacher, parse_plan
from db3kd.teachers import Service, Teacher
from known_teachers import Sectors

SHAPE = (3, 6, 5)


def _open(server: ChatServer, **keys: object) -> Teacher:
    content = {"uri": f"chat:{server.url}?model=seer-1", "class_names": list(NAMES), **keys}
    section = parse_plan({"teacher": content}).teacher
    assert section is not None
    return open_teacher(section).teacher


def test_every_key_of_the_section_reaches_the_request() -> None:
    server = ChatServer(Sectors((3, 12, 10)))
    with chatting(server):
        teacher = _open(
            server,
            input_shape=[1, 6, 5],
            resize=[12, 10],
            gray_to_color=True,
            class_descriptions=["purrs", "", "", "", ""],
            prompt="One of\n{classes}",
            structured=True,
            image_format="webp",
            image_quality=50,
            image_detail="high",
            temperature=0.5,
            max_tokens=7,
            request={"seed": 3, "stop": ["\n"]},
            in_flight=3,
            rate_limit=100,
            patience=1,
        )
        teacher(torch.rand(1, 1, 6, 5, generator=torch.Generator().manual_seed(0)))
    assert (teacher.spec.input_shape, teacher.spec.levels, teacher.spec.max_batch) == ((1, 6, 5), 256, 1)
    assert teacher.spec.service == Service(3, 100.0, 1.0)
    (asked,) = server.requests
    assert {key: asked[key] for key in ("model", "temperature", "max_tokens", "seed", "stop")} == {
        "model": "seer-1",
        "temperature": 0.5,
        "max_tokens": 7,
        "seed": 3,
        "stop": ["\n"],
    }
    assert asked["response_format"]["type"] == "json_schema"
    words, part = asked["messages"][0]["content"]
    assert words["text"] == "One of\n- cat: purrs\n- dog\n- big bird\n- C++\n- 7"
    assert part["image_url"]["detail"] == "high"
    picture = Image.open(io.BytesIO(base64.b64decode(part["image_url"]["url"].partition(",")[2])))
    assert (picture.format, picture.size) == ("WEBP", (10, 12))


def test_a_request_is_short_where_little_is_said_and_another_key_is_another_teacher() -> None:
    server = ChatServer(Sectors(SHAPE))
    with chatting(server):
        teacher = _open(server, input_shape=list(SHAPE))
        teacher(torch.rand(1, *SHAPE, generator=torch.Generator().manual_seed(0)))
        others = [_open(server, input_shape=list(SHAPE), **{key: value}) for key, value in {
            "temperature": 1.0, "resize": [12, 10], "structured": True, "image_format": "jpeg", "fingerprint": "v2"
        }.items()]  # fmt: skip
    assert teacher.spec.service == Service(in_flight=8, patience=60.0)
    assert server.requests[0].keys() == {"model", "temperature", "max_tokens", "messages"}
    assert len({teacher.spec.fingerprint, *(other.spec.fingerprint for other in others)}) == 6
