"""LiteLLM's proxy, in an environment of its own: 1,000 questions about real digits, 50 of them with a fault."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from chat_proxy import FAULTS, KEY, NAMES, Proxy, running
from command_line import Caller

pytestmark = pytest.mark.slow

QUESTIONS = 1000
IN, OUT = 0.15, 0.60


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    with running(tmp_path_factory.mktemp("proxy")) as server:
        yield server


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Caller:
    return Caller(capsys)


def test_nothing_that_was_served_is_paid_twice_and_the_bill_is_the_servers_own(
    proxy: Proxy, call: Caller, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROXY_KEY", KEY)
    digits = load_digits()
    pixels = (digits.images[:QUESTIONS] / 16 * 255).round().astype(np.uint8)
    # Networks of ours need 16x16; the handler takes every other pixel.
    pixels = pixels.repeat(2, axis=1).repeat(2, axis=2)
    np.savez(tmp_path / "digits.npz", images=pixels, labels=digits.target[:QUESTIONS])
    (tmp_path / "plan.toml").write_text(f"""
        [teacher]
        uri = "chat:{proxy.url}?model=digits&input_shape=1,16,16&structured=true&token_env=PROXY_KEY"
        class_names = {list(NAMES)}
        [images]
        source = "npz:{tmp_path / "digits.npz"}"
        [acquisition]
        name = "random"
        [budget]
        answers = 400
        price_per_million_input = {IN}
        price_per_million_output = {OUT}
    """)
    asked = ("label", "--plan", tmp_path / "plan.toml", "--run", tmp_path / "run")
    call(*asked)
    assert len(proxy.served) == 400
    # A larger budget goes on, and what was asked is not asked again.
    bought = call(*asked, "--set", f"budget.answers={QUESTIONS}", "--json").figures

    served, kinds = proxy.served, proxy.kinds
    assert all(kinds[fault] >= 5 for fault in FAULTS)
    assert kinds.total() - kinds[""] == sum(kinds[fault] for fault in FAULTS)
    assert len(served) == len({call["image"] for call in served}) == QUESTIONS
    queries = bought["queries"]
    assert queries["total"] == QUESTIONS
    assert queries["bills"] == {
        "answers": {
            "answers": QUESTIONS,
            "uncounted": 0,
            "input_tokens": proxy.tokens[0],
            "output_tokens": proxy.tokens[1],
            "off_list": kinds["prose"] + kinds["wrong name"],
            "refused": kinds["refusal"],
            "lost": 0,
        }
    }
    money = (proxy.tokens[0] * IN + proxy.tokens[1] * OUT) / 1_000_000
    assert queries["money"] == pytest.approx(money)
    assert call("status", tmp_path / "run", "--json").figures["money"] == pytest.approx(money)

    # All others got the class that the classifier behind the proxy saw.
    seen = Counter(call["name"] for call in served if not call["kind"])
    assert bought["asking"]["class_histogram"] == [seen[name] for name in NAMES]
    assert bought["asking"]["abstained"] == QUESTIONS - seen.total() > 0

    # And one that is kept is not asked at all, where another run asks in the same steps.
    recorded = f'budget.recorded=["{tmp_path / "run"}"]'
    again = ("label", "--plan", tmp_path / "plan.toml", "--run", tmp_path / "again", "--set", recorded)
    call(*again)
    assert call(*again, "--set", f"budget.answers={QUESTIONS}", "--json").figures["queries"]["bills"] == {}
    assert len(proxy.served) == QUESTIONS


def test_check_teacher_on_the_proxy(proxy: Proxy, call: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROXY_KEY", KEY)
    uri = f"chat:{proxy.url}?model=digits&input_shape=1,16,16&class_names={','.join(NAMES)}&token_env=PROXY_KEY"
    before = len(proxy.served)
    found = call("check-teacher", uri, "--json").figures
    assert (found["queries"], found["repeated"], found["changed"]) == (32, 16, 0)
    assert len(proxy.served) - before == found["bill"]["answers"] == 32
    refused = call("check-teacher", uri.replace("model=digits", "model=letters"), expect=4)
    assert "letters" in refused.err
    monkeypatch.setenv("PROXY_KEY", "sk-another")
    refused = call("check-teacher", uri, expect=4)
    assert "40" in refused.err
    assert "sk-another" not in refused.err
