"""A teacher for the command line, in this process or another one, that writes down each row as it serves it.

LOGGED_ROWS names the file; LOGGED_SECONDS is how long a call takes, LOGGED_FAILS_AFTER the rows after which it breaks,
LOGGED_FLIPS the share of answers that are another class than the right one, drawn anew each time. LOGGED_SIGNAL is
"NUMBER@ROWS": the signal that it sends to its own process, once, when so many rows were served. With LOGGED_LOSES, the
answer of one call is lost after it was served.
"""

import os
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from db3kd.errors import MaybeServed

CLASSES = 4
SIDE = 16
_FLIPS = np.random.default_rng(7)
PROTOTYPES = np.random.default_rng(0).random((CLASSES, SIDE, SIDE)).astype(np.float32)


def decide(images: NDArray[np.float32]) -> NDArray[np.int64]:
    """The nearest prototype, computed row by row, so that no answer depends on the batch."""
    log = Path(os.environ["LOGGED_ROWS"])
    with log.open("a") as file:
        file.write(f"{len(images)}\n")
    time.sleep(float(os.environ.get("LOGGED_SECONDS", "0")))
    _signal(rows_seen(log))
    if os.environ.pop("LOGGED_LOSES", None):
        raise MaybeServed("the connection is gone")
    if "LOGGED_FAILS_AFTER" in os.environ and rows_seen(log) > int(os.environ["LOGGED_FAILS_AFTER"]):
        raise ValueError("the service is gone")
    decisions = np.array([((PROTOTYPES - image[0]) ** 2).sum((1, 2)).argmin() for image in images], dtype=np.int64)
    flipped = _FLIPS.random(len(images)) < float(os.environ.get("LOGGED_FLIPS", "0"))
    return (decisions + flipped) % CLASSES


def _signal(rows: int) -> None:
    number, _, after = os.environ.get("LOGGED_SIGNAL", "").partition("@")
    if number and rows > int(after):
        del os.environ["LOGGED_SIGNAL"]
        os.kill(os.getpid(), int(number))


def rows_seen(log: Path) -> int:
    return sum(map(int, log.read_text().split())) if log.exists() else 0


def write_images(path: Path, train: int = 24, test: int = 12) -> str:
    """An npz archive of both splits, and its name as a source."""
    arrays: dict[str, NDArray[np.uint8] | NDArray[np.int64]] = {}
    for suffix, count, seed in (("", train, 1), ("_test", test, 2)):
        labels = np.arange(count, dtype=np.int64) % CLASSES
        noise = np.random.default_rng(seed).random((count, SIDE, SIDE))
        arrays[f"images{suffix}"] = (255 * (PROTOTYPES[labels] + noise) / 2).astype(np.uint8)
        arrays[f"labels{suffix}"] = labels
    np.savez(path, allow_pickle=False, **arrays)
    return f"npz:{path}"
