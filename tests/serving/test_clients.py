"""A client is known by its token, and has its own budget and rate."""

import hashlib
from concurrent.futures import ThreadPoolExecutor

import orjson
import pytest
import urllib3

from db3kd.ledger import Ledger
from db3kd.serving import Grant
from db3kd.serving.clients import Client
from known_teachers import Counting, Sectors
from served_teacher import INFER, SHAPE, LocalServer, question, served


def _grant(token: str, budget: int | None = None, rate: float | None = None) -> Grant:
    return Grant(hashlib.sha256(token.encode()).hexdigest(), budget, rate)


def test_a_stranger_is_refused_and_a_token_leads_to_its_own_account() -> None:
    client = LocalServer({"ann": _grant("a-token", budget=5), "bob": _grant("b-token")})
    for token in ("", "wrong", "a-token2", "é"):
        assert client.ask(question(), token).status == 401
    assert client.ask(question(3), "a-token").status == 200
    refused = client.ask(question(3), "a-token")
    assert (refused.status, "nothing was charged" in refused.text) == (403, True)
    assert client.ask(question(2), "a-token").status == 200
    assert client.ask(question(3), "b-token").status == 200
    assert client.seen.rows == 8


def test_who_goes_too_fast_is_told_when_to_come_again() -> None:
    client = LocalServer({"ann": _grant("a-token", rate=2.0)})
    assert client.ask(question(8), "a-token").status == 200
    refused = client.ask(question(4), "a-token")
    assert refused.status == 429
    assert 0 < float(refused.headers["retry-after"]) <= 2.0
    assert client.seen.rows == 8


def test_a_rate_is_an_average_over_a_burst() -> None:
    now = [0.0]
    with Ledger(None) as ledger, ledger.account("ann") as account:
        one = Client(account, 10.0, 20, lambda: now[0])
        assert one.admit(20) == 0
        assert one.admit(5) == pytest.approx(0.5)
        now[0] = 0.5
        assert one.admit(5) == 0
        now[0] = 100.0
        assert [one.admit(15), one.admit(15)] == [0, pytest.approx(1.0)]


def test_a_budget_of_n_under_16_clients_at_once_serves_exactly_n_rows() -> None:
    seen = Counting(Sectors(SHAPE))
    with served(seen, {"team": _grant("t", budget=300)}) as url:
        pool = urllib3.PoolManager(maxsize=16, retries=False)
        body = orjson.dumps(question(3))

        def ask(_: int) -> int:
            headers = {"Authorization": "Bearer t", "Content-Type": "application/json"}
            return pool.request("POST", url + INFER, body=body, headers=headers).status

        with ThreadPoolExecutor(16) as clients:
            statuses = list(clients.map(ask, range(160)))
        pool.clear()
    assert seen.rows == 300
    assert (statuses.count(200), statuses.count(403)) == (100, 60)
