"""A vision model behind a prompt from the plan on: the tokens and the money that status, report and dry run tell."""

import re
from pathlib import Path

import numpy as np
import pytest

from chat_server import NAMES, ChatHandler, ChatServer, chatting
from command_line import SMALL, Caller
from known_teachers import Sectors

SHAPE = (1, 16, 16)
# Of 85 tokens in and 3 out, for each answer.
PRICE = (85 * 2.0 + 3 * 10.0) / 1_000_000


@pytest.fixture
def images(tmp_path: Path) -> str:
    generator = np.random.default_rng(0)
    pixels = generator.integers(0, 256, (40, *SHAPE), dtype=np.uint8)
    # The last one comes twice.
    pixels[39] = pixels[38]
    file = tmp_path / "tiny.npz"
    np.savez(file, images=pixels, labels=np.arange(40) % 5, images_test=pixels[:12], labels_test=np.arange(12) % 5)
    return f"npz:{file}"


def _plan(folder: Path, server: ChatServer, images: str, *more: str) -> Path:
    path = folder / "plan.toml"
    path.write_text(f"""
        [teacher]
        uri = "chat:{server.url}?model=seer-1&input_shape=1,16,16&in_flight=1"
        class_names = {list(NAMES)}
        {" ".join(more)}
        [images]
        source = "{images}"
        [held_out]
        source = "{images}"
        [budget]
        price_per_million_input = 2.0
        price_per_million_output = 10.0
        currency = "USD"
    """)
    return path


@pytest.mark.slow
def test_tokens_and_money_are_told_before_while_and_after(call: Caller, images: str, tmp_path: Path) -> None:
    def script(handler: ChatHandler, number: int, name: str) -> str:
        return "Well, a cat." if number % 10 == 0 else name

    server, run = ChatServer(Sectors(SHAPE), script), tmp_path / "run"
    with chatting(server):
        asked = ("distill", "--plan", _plan(tmp_path, server, images), "--run", run, *SMALL)
        told = call(*asked, "--dry-run", "--json").figures
        measured = len(server.requests)
        assert 2 <= measured == told["speed"]["asked"] <= 5
        assert told["speed"]["bill"]["input_tokens"] == 85 * measured
        (answers,) = (stage for stage in told["stages"] if stage["stage"] == "answers")
        assert (answers["ahead"], answers["tokens"]) == (40, [3400, 120])
        assert answers["money"] == pytest.approx(40 * PRICE)
        unmeasured = call(*asked, "--dry-run", "--no-measure")
        assert "how many a question takes is not known yet" in unmeasured.err
        assert len(server.requests) == measured
        assert not run.exists()

        report = call(*asked, "--json").figures
        served = len(server.requests) - measured
        queries = report["queries"]
        assert served == sum(
            bill["answers"] for bill in [*queries["bills"].values(), *queries["held_out_bills"].values()]
        )
        # An image that comes twice is asked once, and what was held out is among the answers already.
        assert queries["by_stage"] == {"answers": 39, "repeats": 16}
        assert queries["bills"]["answers"]["off_list"] == report["asking"]["abstained"] > 0
        assert queries["money"] == pytest.approx(served * PRICE)
        status = call("status", run, "--json").figures
        assert (
            status["bill"] | {"answers": served, "input_tokens": 85 * served, "output_tokens": 3 * served}
            == status["bill"]
        )
        assert (status["money"], status["currency"]) == (queries["money"], "USD")
        for shown in (call("status", run).out, call("report", run).out):
            assert "billed by the server" in shown
            assert "off the list" in shown
        page = (run / "report.html").read_text()
        assert "tokens in" in page
        assert "for queries and tokens" in page
        # Done once, nothing is asked again; and another prompt is another teacher.
        call(*asked)
        assert len(server.requests) == served + measured
        refused = call(*asked, "--set", "teacher.prompt=Now? {classes}", expect=2)
        assert "teacher" in refused.err
        assert len(server.requests) == served + measured


def test_what_a_run_has_asked_another_run_with_the_same_prompt_need_not_ask(
    call: Caller, images: str, tmp_path: Path
) -> None:
    server = ChatServer(Sectors(SHAPE))
    with chatting(server):
        plan = _plan(tmp_path, server, images)
        call("label", "--plan", plan, "--run", tmp_path / "first")
        asked = len(server.requests)
        call(
            "label", "--plan", plan, "--run", tmp_path / "second", "--set", f'budget.recorded=["{tmp_path / "first"}"]'
        )
        assert len(server.requests) == asked == 39
    replayed = ("--teacher", f"recorded:{tmp_path / 'first'}", "--images", images)
    assert call("label", *replayed, "--run", tmp_path / "third", "--json").figures["queries"]["total"] == 40


def test_the_key_is_in_no_file_of_the_run_and_in_no_output(
    call: Caller, images: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEER_KEY", "s3cret-k3y")

    def script(handler: ChatHandler, number: int, name: str) -> str | None:
        if number == 20:
            handler.send(401, {"error": {"message": f"bad key in {handler.headers['Authorization']}"}})
        return None if number == 20 else name

    server, run = ChatServer(Sectors(SHAPE), script), tmp_path / "run"
    with chatting(server):
        asked = ("label", "--plan", _plan(tmp_path, server, images, 'token_env = "SEER_KEY"'), "--run", run)
        failed = call(*asked, expect=4)
        done = call(*asked)
    assert server.headers[0]["Authorization"] == "Bearer s3cret-k3y"
    assert "bad key in Bearer ***" in failed.err
    kept = b"".join(path.read_bytes() for path in run.rglob("*") if path.is_file())
    assert b"SEER_KEY" in kept
    assert b"s3cret" not in kept
    assert "s3cret" not in failed.out + failed.err + done.out + done.err
    # What was answered before the failure is not asked again.
    assert len(server.requests) == 40


@pytest.mark.parametrize(
    ("uri", "told"),
    [
        ("chat:http://localhost:1/v1", r"teacher\.model, teacher\.class_names, teacher\.input_shape"),
        ("chat:http://localhost:1/v1?model=m&class_names=a,b", r"teacher\.input_shape"),
        ("chat:http://localhost:1/v1?model=m&class_names=a,b&input_shape=1,8,8&scale=255&levels=9", "no levels, scale"),
        ("chat:http://localhost:1/v1?model=m&class_names=a,A&input_shape=1,8,8", "differ"),
        ("chat:", "chat:https://HOST/v1"),
        ("chat:ftp://localhost/v1?model=m&class_names=a,b&input_shape=1,8,8", "http"),
    ],
)
def test_what_is_missing_or_makes_no_sense_is_named(call: Caller, uri: str, told: str) -> None:
    refused = call("check-teacher", uri, expect=2)
    assert re.search(told, refused.err)
