"""Networks that learn side by side, in processes with one thread each.

The result is byte for byte that of one after another with one thread. Processes are started anew, and not forked: torch
does not survive a fork, and a user's script must not run twice. There is one for each core, which takes the next
network when it is done with one, since it takes seconds to start.
"""

import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Generator, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import final

from torch import nn

import db3kd.errors
from db3kd.errors import Db3kdError
from db3kd.models import build
from db3kd.runs.files import storage_errors
from db3kd.scaling import worker
from db3kd.scaling.job import Hear, Job
from db3kd.training import Epoch, Material, Recipe


def train_side_by_side(
    jobs: Sequence[Job], lessons: Sequence[tuple[Material, Recipe]], *, cores: int, hear: Hear
) -> Generator[nn.Module]:
    """Train networks on the CPU, as many at once as there are cores.

    Args:
        jobs: the networks.
        lessons: what each of them learns and how; material that several share is written once.
        cores: processes at once.
        hear: called with the number of the job, what an epoch brought, and the state after it, where there is one.
            It is called from several threads, one for each process.

    Yields:
        The trained networks in eval mode, in the order of the jobs, each as soon as it and those before it are done. To
        close the iterator ends what is not done.

    Raises:
        Db3kdError: what a training raised.
    """
    with tempfile.TemporaryDirectory(prefix="db3kd-") as place, _Workers(Path(place), min(cores, len(jobs))) as workers:
        folder, places = Path(place), dict[int, Path]()
        with storage_errors(folder):
            for number, (job, (material, recipe)) in enumerate(zip(jobs, lessons, strict=True)):
                if id(material) not in places:
                    places[id(material)] = folder / f"material-{len(places)}"
                    worker.write_material(places[id(material)], material)
                _prepare(folder / str(number), job, material, recipe, places[id(material)])

        def train(number: int) -> nn.Module:
            job, (material, _), own = jobs[number], lessons[number], folder / str(number)
            workers.work(own, number, hear)
            network = build(job.architecture, material.image_shape, job.num_classes, bare=True)
            network.load_state_dict(dict(worker.read(own / worker.DONE).tensors))
            return network.eval()

        yield from workers.threads.map(train, range(len(jobs)))


def _prepare(own: Path, job: Job, material: Material, recipe: Recipe, place: Path) -> None:
    own.mkdir()
    asked = {"architecture": job.architecture, "num_classes": job.num_classes, "seed": job.seed}
    learned = {"input_shape": material.image_shape, "recipe": asdict(recipe), "material": str(place)}
    (own / worker.JOB).write_text(json.dumps({**asked, **learned, "path": sys.path}))
    if job.state is not None:
        worker.write_state(own / worker.BEGUN, job.state)


@final
class _Workers:
    """Threads with a process each, which is started when the thread has work; all of them end with this."""

    def __init__(self, folder: Path, count: int) -> None:
        self.threads = ThreadPoolExecutor(count)
        self._folder, self._mine, self._lock = folder, threading.local(), threading.Lock()
        self._running, self._ended = list["subprocess.Popen[str]"](), False

    def __enter__(self) -> "_Workers":
        return self

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._ended = True
            for process in self._running:
                process.kill()
        self.threads.shutdown(cancel_futures=True)
        for process in self._running:
            with suppress(BrokenPipeError), process:
                pass

    def work(self, own: Path, number: int, hear: Hear) -> None:
        """Have a folder worked on; hear what is said of it until it is done, and raise what was raised."""
        process = self._process()
        assert process.stdin is not None
        assert process.stdout is not None
        # One that has ended reads nothing: why it ended is told below.
        with suppress(BrokenPipeError):
            process.stdin.write(f"{own}\n")
            process.stdin.flush()
        for line in process.stdout:
            said = json.loads(line)
            if "error" in said:
                raise getattr(db3kd.errors, said["error"], Db3kdError)(said["text"])
            if "done" in said:
                return
            epoch = Epoch(**said["epoch"])
            state = worker.read_state(own / worker.STATE) if said["state"] else None
            # A worker that is far ahead has written a later one by now.
            hear(number, epoch, state if state is not None and state.epoch == epoch.number else None)
        trouble = self._mine.trouble.read_text().strip()[-500:]
        raise Db3kdError(
            f"a process that trains a network ended with {process.wait()}; what was trained before is kept: run "
            f"again to go on. It said: {trouble or 'nothing'}"
        )

    def _process(self) -> "subprocess.Popen[str]":
        found: subprocess.Popen[str] | None = getattr(self._mine, "process", None)
        if found is None:
            self._mine.trouble = self._folder / f"{worker.TROUBLE}-{threading.get_ident()}"
            command = [sys.executable, "-m", worker.__name__]
            with self._lock, self._mine.trouble.open("w") as trouble:
                if self._ended:
                    raise CancelledError
                found = subprocess.Popen(
                    command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=trouble, text=True
                )
                self._running.append(found)
            self._mine.process = found
        return found
