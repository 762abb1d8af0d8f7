"""`--ray`: replicas of the teacher answer, a kill of the driver loses nothing, and the run goes on without them."""

import signal
import time
from pathlib import Path

import pytest

from command_line import SMALL, TEACHER, Caller, finish, settings, start
from logged_teacher import rows_seen, write_images

pytest.importorskip("ray")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

REPLICAS = ("--ray", "local", *settings(cluster__replicas=3, cluster__cpus=0.1))
# Ray's own modules warn as they are imported.
QUIET = "import warnings; warnings.simplefilter('default')"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 130), (signal.SIGKILL, -9)])
def test_a_driver_that_is_killed_goes_on_without_the_cluster(
    call: Caller, log: Path, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    images = write_images(tmp_path / "many.npz", train=600)
    asked = ("distill", *TEACHER, "--images", images, *settings(acquisition="random", committee__members=0), *SMALL)
    slow = {"LOGGED_ROWS": str(log), "LOGGED_SECONDS": "0.5"}
    process = start(*asked, "--run", tmp_path / "killed", *REPLICAS, before=QUIET, environment=slow)
    until = time.monotonic() + 120
    while rows_seen(log) < 200 and process.poll() is None and time.monotonic() < until:
        time.sleep(0.02)
    process.send_signal(number)
    finish(process, expect=code)
    served = rows_seen(log)
    assert 200 <= served < 600

    call(*asked, "--run", tmp_path / "killed")
    # What was in flight is asked again: at most a batch of each replica, and one that waits for its turn.
    assert 600 <= rows_seen(log) - 16 - 12 <= 600 + 4 * 64
    assert "cluster" not in (tmp_path / "killed/plan.toml").read_text()
    call(*asked, "--run", tmp_path / "alone")
    for name in ("student.safetensors", "answers/00000.safetensors"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "alone" / name).read_bytes()
