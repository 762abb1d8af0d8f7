"""The stages of the paper's way without images: noise is asked about, and some of each class pushed from the boundary.

All answers to noise are kept; the noise itself is drawn again from its seed. A pushed image keeps the class that it was
bought with, so labelling pays for none again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import final

import torch

from db3kd.answers import Answers
from db3kd.boundary import ExemplarPool, Guide
from db3kd.data import Dataset
from db3kd.data.dataset import as_bytes, in_unit
from db3kd.errors import BudgetExhausted, InputError
from db3kd.evaluation import never_decided
from db3kd.pipeline.asking import BYTE, teacher_key
from db3kd.pipeline.budget import Budget
from db3kd.pipeline.measure import shards_of, source_of
from db3kd.pipeline.story import Pushed
from db3kd.pools import NoiseOptions, Repulsion, choose_of_each, draw_noise, repel
from db3kd.report.figures import RepulsionFigures
from db3kd.runs import Keeper, Kept, Key, Outline, Part, key_of, numbered_part
from db3kd.teachers import Teacher, TeacherSpec
from db3kd.tensors import Float, Int, Tensor, UInt8

NOISE, REPULSION = "noise", "repulsion"
_NOISE, _PUSHED = "db3kd-noise-2", "db3kd-repulsion-2"


@final
@dataclass(frozen=True, eq=False)
class AskNoise:
    """Asks about noise, round by round, until every class has images enough or the rounds are used up."""

    teacher: Teacher
    options: NoiseOptions
    budget: Budget
    seed: int

    kind = _NOISE
    source = ""

    @property
    def outline(self) -> Outline:
        each = self.options.per_round(self.teacher.spec.num_classes)
        parts = tuple(Part(numbered_part(NOISE, number), each) for number in range(self.options.rounds))
        return Outline(NOISE, parts, "rounds at most")

    @property
    def key(self) -> Key:
        return {**teacher_key(self.teacher.spec), "noise": key_of(self.options), "seed": self.seed}

    def make(self, number: int, before: Sequence[Kept], keeper: Keeper) -> Kept:
        """Ask one round."""
        spec, options = self.teacher.spec, self.options
        with keeper.asking(self.teacher, self, number, limits=self.budget.limits(NOISE)) as oracle:
            decisions = oracle(draw_noise(spec, options, number, seed=self.seed))
        counts = torch.bincount(self.join([*before, Kept({"decisions": decisions})]), minlength=spec.num_classes)
        return Kept({"decisions": decisions}, last=int(counts[: spec.num_classes].min()) >= options.images_per_class)

    def join(self, parts: Sequence[Kept]) -> Int[Tensor, " n"]:
        """Give the class of each image of noise, round by round."""
        return torch.cat([part.tensors["decisions"] for part in parts])


def all_noise(spec: TeacherSpec, options: NoiseOptions, decisions: Int[Tensor, " n"], *, seed: int) -> Answers:
    """Draw all noise again that was asked about, for a committee to learn from."""
    rounds = -(-len(decisions) // options.per_round(spec.num_classes))
    drawn = [_kept_pixels(draw_noise(spec, options, number, seed=seed), spec) for number in range(rounds)]
    return _noise_answers(torch.cat(drawn), _noise_ids(seed, torch.arange(len(decisions))), decisions, spec)


def draw_starts(spec: TeacherSpec, options: NoiseOptions, decisions: Int[Tensor, " n"], *, seed: int) -> Answers:
    """Draw the noise again that is pushed, the first images of each class; an InputError where all is of one."""
    rows = choose_of_each(decisions, options.images_per_class, spec.num_classes)
    classes = decisions[rows].unique()
    if len(classes) < 2:
        raise InputError(
            f"the teacher put all {len(decisions):,} images of noise in class {int(decisions[0])}: where nothing is "
            "decided otherwise there is no boundary to be pushed away from. The answers are kept and nothing more was "
            "asked: allow more rounds in another run directory, or begin with images"
        )
    each = options.per_round(spec.num_classes)
    images = [
        draw_noise(spec, options, number, seed=seed)[rows[rows // each == number] % each]
        for number in range(-(-len(decisions) // each))
    ]
    return _noise_answers(_kept_pixels(torch.cat(images), spec), _noise_ids(seed, rows), decisions[rows], spec)


@dataclass(frozen=True, eq=False)
class Made:
    """What pushing made."""

    answers: Answers
    figures: RepulsionFigures
    pictures: tuple[Float[Tensor, "k s c h w"], tuple[int, ...]]
    steps: tuple[int, ...]

    def with_noise(self, decisions: Int[Tensor, " n"]) -> "Made":
        """Give the same with figures of the noise that it began with."""
        num_classes = self.answers.num_classes
        noise = torch.bincount(decisions, minlength=num_classes)[:num_classes]
        queries = {NOISE: len(decisions), **self.figures.queries}
        figures = self.figures.model_copy(update={"noise_by_class": tuple(noise.tolist()), "queries": queries})
        return replace(self, figures=figures)


@final
@dataclass(frozen=True, eq=False)
class PushNoise:
    """Pushes noise away from the boundary, shard by shard."""

    teacher: Teacher
    pushed: Pushed
    starts: Answers
    guide: Guide | None
    budget: Budget
    seed: int

    kind = _PUSHED

    @cached_property
    def source(self) -> str:
        return source_of(self.starts, self.guide)

    @cached_property
    def _shards(self) -> tuple[Int[Tensor, " b"], ...]:
        return shards_of(len(self.starts), self.teacher.spec.input_shape, 2)

    @property
    def outline(self) -> Outline:
        return outline_of(len(self.starts), self.teacher.spec, self.pushed.repulsion)

    @property
    def key(self) -> Key:
        return {**teacher_key(self.teacher.spec), "repulsion": key_of(self.pushed.repulsion), "seed": self.seed}

    @cached_property
    def _exemplars(self) -> ExemplarPool:
        starts = self.starts
        return ExemplarPool(starts.images, starts.decisions, num_classes=starts.num_classes)

    def make(self, number: int, before: Sequence[Kept], keeper: Keeper) -> Kept:
        """Push one shard; where the budget ends, its answers wait in the journal."""
        rows, starts, spec = self._shards[number], self.starts, self.teacher.spec
        try:
            with keeper.asking(self.teacher, self, number, limits=self.budget.limits(REPULSION)) as oracle:
                found = repel(
                    oracle,
                    # From bytes to the very values that were asked about, or an image would seem to have moved.
                    spec.admit(starts.images.images(rows)),
                    [starts.images.ids[row] for row in rows.tolist()],
                    starts.decisions[rows],
                    self._exemplars,
                    self.pushed.repulsion,
                    guide=self.guide,
                    context=keeper.context,
                )
        except BudgetExhausted:
            if not before:
                raise
            return Kept({}, whole=False)
        pixels = torch.stack([_kept_pixels(images, spec) for images in found.images])
        figures = {"distances": found.distances, "pushes": found.pushes, "queries": found.queries}
        # Classes that never showed up may leave fewer shards than were foretold.
        return Kept({**figures, "pixels": pixels}, last=number == len(self._shards) - 1)

    def join(self, parts: Sequence[Kept]) -> Made:
        """Put images and figures together; what a budget left unpushed is not among them."""
        shards = [part.tensors for part in parts if part.whole]
        pixels = torch.cat([shard["pixels"] for shard in shards], dim=1)
        starts = self.starts.take(torch.arange(pixels.shape[1]))
        before = torch.cat([starts.images.pixels[None], pixels[:-1]])
        moved = (pixels != before).flatten(2).any(dim=2)
        # One that never moved is kept once as it is: its class was paid.
        moved[0] |= ~moved.any(dim=0)
        steps = sorted(self.pushed.repulsion.keep)
        ids = tuple(
            f"{starts.images.ids[row]}/step/{step:02}"
            for step, rows in zip(steps, moved, strict=True)
            for row in rows.nonzero()[:, 0].tolist()
        )
        decisions = starts.decisions.expand(len(steps), -1)[moved]
        images = Dataset(REPULSION, ids, pixels[moved], None, ())
        answers = Answers(
            images, decisions, (REPULSION,) * len(ids), starts.num_classes, torch.zeros(len(ids), dtype=torch.bool)
        )
        return Made(answers, self._figures(answers, starts, shards), _pictures(starts, pixels), tuple(steps))

    def _figures(self, answers: Answers, starts: Answers, shards: Sequence[Mapping[str, Tensor]]) -> RepulsionFigures:
        by_class = answers.histogram()
        distances = torch.cat([shard["distances"] for shard in shards], dim=1)
        pushes = torch.cat([shard["pushes"] for shard in shards], dim=1)
        found = [row[row.isfinite()] for row in distances]
        return RepulsionFigures(
            images=len(answers),
            images_by_class=tuple(by_class.tolist()),
            starts_by_class=tuple(starts.histogram().tolist()),
            missing=never_decided(by_class),
            queries={REPULSION: sum(int(shard["queries"].sum()) for shard in shards)},
            distances=tuple(row.mean().item() if len(row) else None for row in found),
            pushes=tuple(pushes.mean(dim=1).tolist()),
        )


def outline_of(starts: int, spec: TeacherSpec, repulsion: Repulsion) -> Outline:
    """Tell beforehand what pushing costs, at most."""
    shards = enumerate(shards_of(starts, spec.input_shape, 2))
    parts = tuple(Part(numbered_part(REPULSION, number), len(rows) * repulsion.most_queries) for number, rows in shards)
    return Outline(REPULSION, parts, "shards")


def _pictures(starts: Answers, pixels: Tensor) -> tuple[Float[Tensor, "k s c h w"], tuple[int, ...]]:
    classes = starts.decisions.unique().tolist()
    first = torch.tensor([int((starts.decisions == number).nonzero()[0, 0]) for number in classes])
    seen = in_unit(pixels[:, first])
    return torch.cat([starts.images.images(first)[None], seen]).transpose(0, 1), tuple(classes)


def _noise_ids(seed: int, rows: Int[Tensor, " n"]) -> tuple[str, ...]:
    return tuple(f"{NOISE}/{seed}/{row:06}" for row in rows.tolist())


def _noise_answers(
    pixels: Float[Tensor, "n c h w"] | UInt8[Tensor, "n c h w"],
    ids: tuple[str, ...],
    decisions: Int[Tensor, " n"],
    spec: TeacherSpec,
) -> Answers:
    images = Dataset(NOISE, ids, pixels[: len(ids)], None, ())
    return Answers(images, decisions, (NOISE,) * len(ids), spec.num_classes, torch.zeros(len(ids), dtype=torch.bool))


def _kept_pixels(
    images: Float[Tensor, "n c h w"], spec: TeacherSpec
) -> Float[Tensor, "n c h w"] | UInt8[Tensor, "n c h w"]:
    """Give images in bytes where that is all that the teacher sees."""
    return as_bytes(images) if spec.levels == BYTE else images
