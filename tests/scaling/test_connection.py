"""A block begins and ends the connection to a cluster, and leaves the process as it was; Ray is played here."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from db3kd.errors import InputError, PlanError
from db3kd.scaling import Cluster
from db3kd.scaling.connection import connected, cores_of

_PATIENCE = "RAY_gcs_rpc_server_reconnect_timeout_s"


class PlayedRay:
    """Notes how it is called, and takes SIGTERM over as Ray does."""

    def __init__(self) -> None:
        self.called: list[dict[str, Any]] = []
        self.there, self.ended, self.error = False, 0, None

    there: bool
    error: Exception | None

    def is_initialized(self) -> bool:
        return self.there

    def init(self, **options: Any) -> None:
        self.called.append(options)
        if self.error is not None:
            raise self.error
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        self.there = True

    def shutdown(self) -> None:
        self.there, self.ended = False, self.ended + 1

    def cluster_resources(self) -> dict[str, float]:
        return {"CPU": 6.0, "memory": 1e9} if self.there else {}


@pytest.fixture
def ray(monkeypatch: pytest.MonkeyPatch) -> Iterator[PlayedRay]:
    for name in (_PATIENCE, "RAY_USAGE_STATS_ENABLED"):
        # What is set within the test is taken back after it.
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    played = PlayedRay()
    monkeypatch.setitem(sys.modules, "ray", played)
    before = signal.getsignal(signal.SIGTERM)
    yield played
    signal.signal(signal.SIGTERM, before)


def test_it_is_connected_within_the_block_alone(ray: PlayedRay) -> None:
    before = signal.getsignal(signal.SIGTERM)
    with connected(Cluster("auto", patience=12.3)) as module:
        assert module is ray
        assert ray.there
        assert cores_of(module) == 6.0
        # Ray's own end of a process is not ours.
        assert signal.getsignal(signal.SIGTERM) is before
    assert (ray.there, ray.ended) == (False, 1)
    (options,) = ray.called
    assert (options["address"], options["namespace"]) == ("auto", "db3kd")
    assert "include_dashboard" not in options
    assert os.environ[_PATIENCE] == "73"
    assert cores_of(ray) == 0.0


def test_a_cluster_of_ones_own_has_no_dashboard(ray: PlayedRay, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(_PATIENCE, "5")
    with connected(Cluster()):
        pass
    assert ray.called[0]["include_dashboard"] is False
    assert os.environ[_PATIENCE] == "5", "who set it knows better"


def test_what_goes_wrong_inside_ends_the_connection(ray: PlayedRay) -> None:
    with pytest.raises(KeyError), connected(Cluster()):
        raise KeyError
    assert ray.ended == 1


def test_a_connection_that_is_there_already_is_used_and_stays(ray: PlayedRay) -> None:
    ray.there = True
    with connected(Cluster()):
        pass
    assert (ray.called, ray.ended, ray.there) == ([], 0, True)


@pytest.mark.parametrize("error", [ConnectionError("no route"), ValueError("no route"), RuntimeError("no route")])
def test_where_there_is_no_cluster_that_is_told(ray: PlayedRay, error: Exception) -> None:
    ray.error, before = error, signal.getsignal(signal.SIGTERM)
    with (
        pytest.raises(PlanError, match=r"no Ray cluster at '10\.0\.0\.1:6379' \(no route\)"),
        connected(Cluster("10.0.0.1:6379")),
    ):
        pass
    assert ray.ended == 0
    assert signal.getsignal(signal.SIGTERM) is before


def test_another_thread_may_connect_too(ray: PlayedRay) -> None:
    found: list[bool] = []

    def connect() -> None:
        with connected(Cluster()):
            found.append(ray.there)

    thread = threading.Thread(target=connect)
    thread.start()
    thread.join(60)
    assert found == [True]


def test_without_ray_the_extra_is_named(ray: PlayedRay, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with (
        pytest.raises(InputError, match=r"a cluster needs the extra ray, .* pip install 'db3kd\[ray\]'"),
        connected(Cluster()),
    ):
        pass
