"""A teacher is looked at before money is spent on it: does it answer, always the same, at this value range?

With a budget of its own, a hundred or so queries. Called by `db3kd check-teacher`, which prints the verdict and the
plan lines to use.
"""

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch.nn import functional

from db3kd.data import Dataset
from db3kd.data.dataset import draw
from db3kd.errors import BudgetExhausted, TeacherError
from db3kd.ledger import Account, Ledger, Limits
from db3kd.oracle import Oracle
from db3kd.teachers import Preparation, PreparedTeacher, Teacher
from db3kd.tensors import Float, Int, Tensor

_REPEATED, _ALONE, _LABELLED = 16, 6, 24
_SIZES = (32, 64, 256, 1024)
# Mean and deviation of ImageNet, which most published networks for photographs were trained with.
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
# Fewer right answers than that, over chance, are no agreement.
_CLEARLY = 0.15
VERDICTS = {
    "good": "nothing speaks against it",
    "fails": "it does not answer as a teacher does",
    "not deterministic": "the same question got another answer: searches end, and their distances mean less",
    "depends on the batch": "an image alone got another answer than among others: set max_batch = 1, or see to it",
    "value range": "it agrees with the labels clearly better when images are brought to it in another way",
    "no agreement": "it agrees with the labels hardly more than by chance: its classes may be numbered otherwise",
    "one class": "all that was asked got one class: real images may tell more, and so may the value range",
}


@dataclass(frozen=True)
class Pace:
    """How fast it answers calls of one size.

    Args:
        rows: of the call.
        seconds: that it took.
    """

    rows: int
    seconds: float


@dataclass(frozen=True)
class Agreement:
    """How far it agrees with labels when images are brought to it in one way.

    Args:
        how: what is done to images in [0, 1].
        right: images that it puts where their labels say.
        images: that it was asked about.
        classes: different answers among them.
        plan_lines: keys of the plan's section `teacher` that say so.
        refused: whether it does not take images so, as a server that looks at their values; the rest says nothing then.
    """

    how: str
    right: int
    images: int
    classes: int
    plan_lines: tuple[str, ...]
    refused: bool = False

    @property
    def share(self) -> float:
        """The share of right answers."""
        return self.right / max(1, self.images)


@dataclass(frozen=True)
class Checkup:
    """What was found.

    Args:
        queries: what it cost.
        failure: why it did not answer; None where it did. The rest is then as far as it went.
        paces: calls of growing size.
        repeated: rows that were asked twice in the same batch.
        changed: how many of them got another answer the second time.
        alone: rows that were asked in a batch and alone.
        differed: how many of them got another answer alone.
        classes: which classes showed up, with how many answers.
        agreements: with labelled images, at the value range as it is and then at others.
        cut_short: whether the budget ended before all was asked.
    """

    queries: int = 0
    failure: str | None = None
    paces: tuple[Pace, ...] = ()
    repeated: int = 0
    changed: int = 0
    alone: int = 0
    differed: int = 0
    classes: tuple[tuple[int, int], ...] = ()
    agreements: tuple[Agreement, ...] = ()
    cut_short: bool = False

    @property
    def verdict(self) -> str:
        """In a word: one of the keys of `VERDICTS`."""
        if self.failure is not None:
            return "fails"
        if self.changed:
            return "not deterministic"
        if self.differed:
            return "depends on the batch"
        best, plain = self.best, next(iter(self.agreements), None)
        if best is not None and best.share < _CLEARLY + 1 / max(2, best.classes):
            return "no agreement"
        if best is not None and plain is not None and best.share > plain.share + _CLEARLY:
            return "value range"
        return "one class" if len(self.classes) == 1 else "good"

    @property
    def best(self) -> Agreement | None:
        """The way in which it agrees most with the labels; of ways as good as each other the first."""
        return max(self.agreements, key=lambda agreement: agreement.right, default=None)


class _Examination:
    """Asks, and keeps what each call took and which classes came."""

    def __init__(self, oracle: Oracle) -> None:
        self._oracle = oracle
        self.seconds: dict[int, float] = {}
        self.counts: Counter[int] = Counter()

    def __call__(self, images: Float[Tensor, "b c h w"]) -> Int[Tensor, " b"]:
        """One call."""
        started = time.perf_counter()
        decisions = self._oracle(images)
        took = time.perf_counter() - started
        # The best of several: a first call often takes longer than all others.
        self.seconds[len(images)] = min(took, self.seconds.get(len(images), took))
        self.counts.update(decisions.tolist())
        return decisions


def check_teacher(teacher: Teacher, images: Dataset | None, *, queries: int = 200, seed: int = 0) -> Checkup:
    """Look at a teacher.

    Args:
        teacher: is asked.
        images: to ask about, with labels or without; None for noise.
        queries: most rows to ask.
        seed: of the noise, and of the choice of images.

    Returns:
        What was found; a teacher that fails is a finding, not an error.

    Raises:
        InputError: the images are none that this teacher takes.

    Cost: at most `queries`, on an account of its own.
    """
    chosen = None if images is None else images.subset(draw(images.ids, _LABELLED, seed=seed))
    shown = _noise(teacher, seed) if chosen is None else chosen.images()
    labels = None if chosen is None else chosen.labels
    found = Checkup()
    with Ledger(None) as ledger, ledger.account("check", limits=Limits(stage=queries), held_out=True) as account:
        ask = _Examination(Oracle(teacher, account, attempts=2))
        try:
            found = _repeat(ask, shown[:_REPEATED], found)
            found = _ask_alone(ask, shown[:_REPEATED], found)
            if labels is not None:
                for agreement in _try_ranges(teacher, account, ask, shown, labels):
                    found = replace(found, agreements=(*found.agreements, agreement))
            for rows in _SIZES:
                if rows <= min(teacher.spec.max_batch, queries - account.spent):
                    ask(shown.repeat(-(-rows // len(shown)), 1, 1, 1)[:rows])
        except BudgetExhausted:
            found = replace(found, cut_short=True)
        except TeacherError as error:
            found = replace(found, failure=str(error))
        return replace(
            found,
            queries=account.spent,
            paces=tuple(Pace(rows, seconds) for rows, seconds in sorted(ask.seconds.items())),
            classes=tuple(sorted(ask.counts.items())),
        )


def _noise(teacher: Teacher, seed: int) -> Float[Tensor, "n c h w"]:
    """Images of nothing; smooth ones among them, which meet more classes than noise alone."""
    generator = torch.Generator().manual_seed(seed)
    channels, height, width = teacher.spec.input_shape
    coarse = torch.rand(_LABELLED, channels, 3, 3, generator=generator)
    smooth = functional.interpolate(coarse, (height, width), mode="bilinear")
    fine = torch.rand(_LABELLED, channels, height, width, generator=generator)
    share = torch.linspace(0, 1, _LABELLED)[:, None, None, None]
    low, high = teacher.spec.bounds
    return teacher.spec.admit(low + (high - low) * (share * smooth + (1 - share) * fine))


def _repeat(ask: _Examination, images: Float[Tensor, "b c h w"], found: Checkup) -> Checkup:
    """The same batch twice."""
    first = ask(images)
    found = replace(found, repeated=len(images))
    return replace(found, changed=int((ask(images) != first).sum()))


def _ask_alone(ask: _Examination, images: Float[Tensor, "b c h w"], found: Checkup) -> Checkup:
    """Some images in a batch, in another order, and each alone."""
    some = images[:_ALONE]
    together = ask(some.flip(0)).flip(0)
    alone = torch.cat([ask(image[None]) for image in some])
    return replace(found, alone=len(some), differed=int((together != alone).sum()))


def _try_ranges(
    teacher: Teacher,
    account: Account,
    ask: _Examination,
    images: Float[Tensor, "n c h w"],
    labels: Int[Tensor, " n"],
) -> Iterator[Agreement]:
    """Hold answers against labels, as the images are and as other teachers want them; as they are first."""
    yield _agree("as they are", ask(images), labels, ())
    if isinstance(teacher, PreparedTeacher):
        return
    for how, preparation, lines in _ranges(teacher.spec.input_shape[0]):
        prepared = PreparedTeacher(teacher, preparation, image_shape=teacher.spec.input_shape)
        try:
            decisions = Oracle(prepared, account, attempts=2)(images)
        except TeacherError:
            # No failure of the teacher: it has just answered images as they are.
            yield Agreement(how, 0, 0, 0, lines, refused=True)
        else:
            yield _agree(how, decisions, labels, lines)


def _ranges(channels: int) -> Iterator[tuple[str, Preparation, tuple[str, ...]]]:
    yield "0 to 255", Preparation(scale=255.0), ("scale = 255",)
    if channels == len(_MEAN):
        lines = (f"mean = {list(_MEAN)}", f"deviation = {list(_DEVIATION)}")
        yield "standardised as for ImageNet", Preparation(mean=_MEAN, deviation=_DEVIATION), lines
        yield "channels the other way round", Preparation(channel_order="bgr"), ('channel_order = "bgr"',)
    yield "-1 to 1", Preparation(mean=(0.5,), deviation=(0.5,)), ("mean = [0.5]", "deviation = [0.5]")


def _agree(how: str, decisions: Int[Tensor, " n"], labels: Int[Tensor, " n"], lines: tuple[str, ...]) -> Agreement:
    right = int((decisions == labels).sum())
    return Agreement(how, right, len(labels), len(decisions.unique()), lines)
