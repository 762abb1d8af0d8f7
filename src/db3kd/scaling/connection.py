"""The connection of this process to a Ray cluster, which a block begins and ends."""

import logging
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from math import ceil
from typing import Any

from db3kd.errors import PlanError, needing
from db3kd.scaling.cluster import Cluster

_NAMESPACE = "db3kd"
_AFTER_PATIENCE = 60


@contextmanager
def connected(cluster: Cluster) -> Iterator[Any]:
    """Connect to a cluster, and give the module `ray`; one that this process is connected to already stays.

    An InputError where Ray is not installed, or there is no such cluster.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # Ray ends a process whose cluster has been gone for longer than this; by default a minute.
    os.environ.setdefault("RAY_gcs_rpc_server_reconnect_timeout_s", str(ceil(cluster.patience) + _AFTER_PATIENCE))
    with needing("ray", "a cluster"):
        import ray
    started = not ray.is_initialized()
    if started:
        _connect(ray, cluster)
    try:
        yield ray
    finally:
        if started:
            ray.shutdown()


def cores_of(ray: Any) -> float:
    """Tell how many cores the cluster has that this process is connected to."""
    return float(ray.cluster_resources().get("CPU", 0.0))


def _connect(ray: Any, cluster: Cluster) -> None:
    try:
        with _own_signals():
            ray.init(
                address=cluster.address,
                namespace=_NAMESPACE,
                log_to_driver=False,
                logging_level=logging.ERROR,
                **({"include_dashboard": False} if cluster.address == "local" else {}),
            )
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise PlanError(
            f"there is no Ray cluster at {cluster.address!r} ({error}); nothing was asked: start one with `ray start "
            "--head`, set RAY_AUTH_MODE=token where it asks for a token, or set the address to local"
        ) from error


@contextmanager
def _own_signals() -> Iterator[None]:
    """Keep what a polite kill does, which Ray takes over as it starts; outside the main thread it cannot."""
    before = signal.getsignal(signal.SIGTERM)
    # A handler that is not Python's cannot be put back by it.
    if threading.current_thread() is not threading.main_thread() or before is None:
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
