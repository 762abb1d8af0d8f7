"""Networks that learn the same side by side, each in a process of its own with one thread.

The result is byte for byte that of one after another with one thread. Processes are started anew, and not forked: torch
does not survive a fork, and a user's script must not run twice.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

from torch import nn

import db3kd.errors
from db3kd.errors import Db3kdError
from db3kd.models import build
from db3kd.runs.files import storage_errors
from db3kd.scaling import worker
from db3kd.scaling.job import Hear, Job
from db3kd.training import Epoch, Material, Recipe


def train_side_by_side(
    jobs: Sequence[Job], material: Material, recipe: Recipe, *, cores: int, hear: Hear
) -> list[nn.Module]:
    """Train networks on the CPU, as many at once as there are cores.

    Args:
        jobs: the networks.
        material: what all of them learn.
        recipe: how.
        cores: processes at once.
        hear: called with the number of the job, what an epoch brought, and the state after it, where there is one.
            It is called from several threads, one for each job.

    Returns:
        The trained networks in eval mode, in the order of the jobs.

    Raises:
        Db3kdError: what a training raised.
    """
    with tempfile.TemporaryDirectory(prefix="db3kd-") as place, ThreadPoolExecutor(cores) as threads:
        folder, running = Path(place), list[subprocess.Popen[str]]()
        with storage_errors(folder):
            worker.write_material(folder, material)
        _, channels, height, width = material.pixels.shape
        shape = (channels, height, width)

        def train(number: int) -> nn.Module:
            job, own = jobs[number], folder / str(number)
            _prepare(own, job, shape, recipe)
            command = [sys.executable, "-m", worker.__name__, str(own)]
            with (
                (own / worker.TROUBLE).open("w") as trouble,
                subprocess.Popen(command, stdout=subprocess.PIPE, stderr=trouble, text=True) as process,
            ):
                running.append(process)
                _follow(process, number, own, hear)
            network = build(job.architecture, shape, job.num_classes, bare=True)
            network.load_state_dict(dict(worker.read(own / worker.DONE).tensors))
            return network.eval()

        try:
            return list(threads.map(train, range(len(jobs))))
        finally:
            for process in running:
                process.kill()


def _prepare(own: Path, job: Job, shape: Sequence[int], recipe: Recipe) -> None:
    own.mkdir()
    asked = {"architecture": job.architecture, "num_classes": job.num_classes, "seed": job.seed}
    text = json.dumps({**asked, "input_shape": list(shape), "recipe": asdict(recipe), "path": sys.path})
    (own / worker.JOB).write_text(text)
    if job.state is not None:
        worker.write_state(own / worker.BEGUN, job.state)


def _follow(process: "subprocess.Popen[str]", number: int, own: Path, hear: Hear) -> None:
    """Hear what a worker says until it ends; raise what it raised."""
    assert process.stdout is not None
    for line in process.stdout:
        said = json.loads(line)
        if "error" in said:
            raise getattr(db3kd.errors, said["error"], Db3kdError)(said["text"])
        epoch = Epoch(**said["epoch"])
        state = worker.read_state(own / worker.STATE) if said["state"] else None
        # A worker that is far ahead has written a later one by now.
        hear(number, epoch, state if state is not None and state.epoch == epoch.number else None)
    if process.wait():
        trouble = (own / worker.TROUBLE).read_text()
        raise Db3kdError(
            f"a process that trains a network ended with {process.returncode}; what was trained before is kept: run "
            f"again to go on. It said: {trouble.strip()[-500:] or 'nothing'}"
        )
