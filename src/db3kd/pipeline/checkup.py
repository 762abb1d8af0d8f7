"""A teacher is checked before money is spent on it: does it answer, always the same, at this value range?

It has a budget of its own, a hundred or so queries. `db3kd check-teacher` prints the verdict and the plan lines to use.
"""

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import torch
from torch.nn import functional

from db3kd.data import Dataset, draw
from db3kd.errors import BudgetExhausted, TeacherError
from db3kd.ledger import Account, Bill, Ledger, Limits
from db3kd.oracle import Oracle
from db3kd.teachers import AbstainingTeacher, Preparation, PreparedTeacher, Teacher
from db3kd.tensors import Float, Int, Tensor

_REPEATED, _ALONE, _LABELLED = 16, 6, 24
_SIZES = (32, 64, 256, 1024)
# Mean and deviation of ImageNet, which most published networks for photographs were trained with.
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
# Fewer right answers than that, over chance, are no agreement.
_CLEARLY = 0.15
# A larger share of answers that are no class is worth another prompt.
_OFTEN = 0.05
VERDICTS = {
    "good": "nothing speaks against it",
    "fails": "it does not answer as a teacher does",
    "not deterministic": "the same question got another answer: searches end, and their distances mean less",
    "off the list": "many of its answers are no class: list its class_names letter for letter; of a vision model, say "
    "more in the prompt, or set structured = true",
    "depends on the batch": "an image alone got another answer than among others: set max_batch = 1, or see to it",
    "value range": "it agrees with the labels clearly better when images are prepared in another way",
    "no agreement": "it agrees with the labels hardly more than by chance: its classes may be numbered otherwise",
    "one class": "all that was asked got one class: real images or another value range may give more",
}


@dataclass(frozen=True)
class Agreement:
    """How far it agrees with labels when images are prepared in one way."""

    how: str
    right: int
    images: int
    # How many different ones it gave.
    classes: int
    # Keys of the plan's section `teacher` for this way.
    plan_lines: tuple[str, ...]
    # Whether it takes no images of such values; nothing else is known then.
    refused: bool = False

    @property
    def share(self) -> float:
        """The share of right answers."""
        return self.right / max(1, self.images)


@dataclass(frozen=True)
class Checkup:
    """What was found, as far as the teacher and the budget let it come."""

    queries: int = 0
    failure: str | None = None
    # Rows of a call and the seconds that it took.
    paces: tuple[tuple[int, float], ...] = ()
    # Rows that were asked twice, in the same batch, and how many got another answer.
    repeated: int = 0
    changed: int = 0
    # Rows that were asked in a batch and alone, and how many got another answer.
    alone: int = 0
    differed: int = 0
    # Each class that showed up, with how many answers.
    classes: tuple[tuple[int, int], ...] = ()
    # How many were no class; of a teacher whose plan says by what it declines, they are meant.
    no_class: int = 0
    # With labels, at the value range as it is and then at others.
    agreements: tuple[Agreement, ...] = ()
    cut_short: bool = False
    # What its service has billed, where it bills by tokens.
    bill: Bill = field(default=Bill())

    @property
    def verdict(self) -> str:
        """One of the keys of `VERDICTS`."""
        if self.failure is not None:
            return "fails"
        if self.changed:
            return "not deterministic"
        if self.no_class > _OFTEN * sum(count for _, count in self.classes):
            return "off the list"
        if self.differed:
            return "depends on the batch"
        best = self.best
        if best is not None and best.share < _CLEARLY + 1 / max(2, best.classes):
            return "no agreement"
        if best is not None and best.share > self.agreements[0].share + _CLEARLY:
            return "value range"
        return "one class" if len(self.classes) == 1 else "good"

    @property
    def best(self) -> Agreement | None:
        """The way in which it agrees most with the labels; of ways as good as each other the first."""
        return max(self.agreements, key=lambda agreement: agreement.right, default=None)


class _Examination:
    """Asks, and notes how long each call took and which classes came."""

    def __init__(self, oracle: Oracle) -> None:
        self._oracle = oracle
        self.seconds: dict[int, float] = {}
        self.counts: Counter[int] = Counter()

    def __call__(self, images: Float[Tensor, "b c h w"]) -> Int[Tensor, " b"]:
        started = time.perf_counter()
        decisions = self._oracle(images)
        took = time.perf_counter() - started
        # A first call often takes longer than all others.
        self.seconds[len(images)] = min(took, self.seconds.get(len(images), took))
        self.counts.update(decisions.tolist())
        return decisions


def check_teacher(teacher: Teacher, images: Dataset | None, *, queries: int = 200, seed: int = 0) -> Checkup:
    """Check a teacher on images, with labels or without, or on noise; one that fails is a finding, not an error.

    Cost: at most `queries`, on an account of its own.
    """
    chosen = None if images is None else images.subset(draw(images.ids, _LABELLED, seed=seed))
    shown = _noise(teacher, seed) if chosen is None else chosen.images()
    labels = None if chosen is None else chosen.labels
    found = Checkup()
    with Ledger(None) as ledger, ledger.account("check", limits=Limits(stage=queries), held_out=True) as account:
        ask = _Examination(Oracle(teacher, account, attempts=2))
        try:
            # Alone before all others: one query shows whether it answers at all.
            several = teacher.spec.max_batch > 1
            lonely = ask(shown[:1]) if several else None
            first = ask(shown[:_REPEATED])
            found = replace(found, repeated=len(first))
            found = replace(found, changed=int((ask(shown[:_REPEATED]) != first).sum()))
            if lonely is not None:
                some = shown[:_ALONE]
                # In a batch they are asked in another order.
                together = ask(some.flip(0)).flip(0)
                alone = torch.cat([lonely, *(ask(image[None]) for image in some[1:])])
                found = replace(found, alone=len(some), differed=int((together != alone).sum()))
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
        paces, classes = tuple(sorted(ask.seconds.items())), tuple(sorted(ask.counts.items()))
        none = 0 if isinstance(teacher, AbstainingTeacher) else ask.counts[teacher.spec.num_classes]
        bill = ledger.statement().bill
        return replace(found, queries=account.spent, paces=paces, classes=classes, no_class=none, bill=bill)


def _noise(teacher: Teacher, seed: int) -> Float[Tensor, "n c h w"]:
    """Draw noise; some of it smooth, which meets more classes than noise of single pixels."""
    generator = torch.Generator().manual_seed(seed)
    channels, height, width = teacher.spec.input_shape
    coarse = torch.rand(_LABELLED, channels, 3, 3, generator=generator)
    smooth = functional.interpolate(coarse, (height, width), mode="bilinear")
    fine = torch.rand(_LABELLED, channels, height, width, generator=generator)
    share = torch.linspace(0, 1, _LABELLED)[:, None, None, None]
    low, high = teacher.spec.bounds
    return teacher.spec.admit(low + (high - low) * (share * smooth + (1 - share) * fine))


def _try_ranges(
    teacher: Teacher, account: Account, ask: _Examination, images: Float[Tensor, "n c h w"], labels: Int[Tensor, " n"]
) -> Iterator[Agreement]:
    """Compare answers with labels, first for the images as they are, then as other teachers take them."""
    yield _agree("as they are", ask(images), labels, ())
    # An image file has one value range, and each question is billed.
    if isinstance(teacher, PreparedTeacher) or teacher.spec.meter is not None:
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
