"""A run as a command opens it: its plan with what is asked for now, the teacher, the story, the keeper."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

from db3kd.cli.display import remark
from db3kd.context import Context, Progress, Tracker, silent, untracked
from db3kd.data import Dataset, Place
from db3kd.errors import PlanError, RunMismatch
from db3kd.pipeline.story import Story
from db3kd.plan import (
    Content,
    OpenedTeacher,
    Plan,
    merged,
    open_cluster,
    open_images,
    open_story,
    open_teacher,
    parse_plan,
)
from db3kd.plan.schema import ImagesSection
from db3kd.progress import Stages, showing
from db3kd.runs import Keeper, Run
from db3kd.runs.plan_file import merge_plans
from db3kd.runs.replay import known_answers
from db3kd.scaling import Cluster, replicated
from db3kd.teachers.watched import WatchedTeacher


@dataclass(frozen=True, eq=False)
class Session:
    """A run with all that is known of it: what it was begun with and what is said now, as a plan and as objects."""

    run: Run
    plan: Plan
    teacher: OpenedTeacher
    story: Story
    device: str

    @property
    def cluster(self) -> Cluster | None:
        """The cluster that replicas of the teacher run on; None for this process alone."""
        section, teacher = self.plan.cluster, self.plan.teacher
        return None if section is None or teacher is None else open_cluster(section, teacher, self.device)

    @contextmanager
    def asking(self, stages: Stages) -> Iterator[Story]:
        """Give the story with a teacher whose rows show in the progress: its replicas, where there is a cluster."""
        with replicated(self.cluster, self.story.teacher) as teacher:
            yield replace(self.story, teacher=WatchedTeacher(teacher, stages.hear_rows))

    def keeper(self, progress: Progress = silent, tracker: Tracker = untracked) -> Keeper:
        """Give the keeper of the run."""
        budget, spec = self.plan.budget, self.teacher.teacher.spec
        context = Context(self.device, self.plan.run.seed, progress, tracker, self.plan.cluster is not None)
        recording, index = known_answers(spec, budget.recorded, record=budget.record)
        return Keeper(self.run, context, recording=recording, index=index)

    @contextmanager
    def adopted(self) -> Iterator[None]:
        """Make the plan the run's own while the work goes on, and for good unless what is kept refuses it."""
        before = self.run.get("plan.toml")
        self.run.adopt(self.plan.written())
        try:
            yield
        except RunMismatch:
            if before is not None:
                self.run.put("plan.toml", before)
            raise


def open_session(run: Run, asked: Content, device: str, *, aside: Content | None = None, dry: bool = False) -> Session:
    """Open a run, and refuse before a query what cannot be done.

    Nothing is written but the pixels of many decoded images, and not even these where it is dry.
    """
    kept = run.plan() or {}
    written = parse_plan(merged(kept, asked))
    merge_plans(kept, written.written(), run.folder)
    plan = written if aside is None else parse_plan(merged(written.written(), aside))
    if plan.teacher is None:
        raise PlanError("no teacher is named; nothing was asked: name one with --teacher, or in a plan")
    teacher = open_teacher(plan.teacher, device=device)
    run.check_teacher(teacher.teacher.spec)
    with reading(None if dry else run) as place:
        return Session(run, written, teacher, open_story(plan, teacher, place), device)


@contextmanager
def reading(run: Run | None = None) -> Iterator[Place]:
    """Show how far the reading of images is, where there are some to decode; a run keeps their pixels."""
    with ExitStack() as stack:
        shown: list[Stages] = []

        def hear(stage: str, done: int, total: int, unit: str) -> None:
            if not shown:
                shown.append(stack.enter_context(showing(remark)))
            shown[0](stage, done, total, unit)

        yield Place(None if run is None else lambda: run.place("pixels"), progress=hear)


def read_images(section: ImagesSection, shape: tuple[int, int, int], *, like: ImagesSection | None = None) -> Dataset:
    """Read the images that a section names, brought to a shape, for a command that keeps none; see `open_images`."""
    with reading() as place:
        return open_images(section, wanted=shape, place=place, like=like)
