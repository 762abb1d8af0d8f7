"""Images out of nothing by repulsion: noise of each class, pushed away from the boundary, shard by shard.

Each answer is noted in a journal before it is used, so an interrupted stage goes on without paying twice. What is made
is kept by `synthesized`, whatever way it was made. Called by `db3kd synthesize`.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch

from db3kd.boundary import ExemplarPool
from db3kd.boundary.methods import GuidedDistance
from db3kd.data import Dataset
from db3kd.errors import RunMismatch
from db3kd.execution import Remembering
from db3kd.pipeline.asking import asking, check_made_for, identity_of
from db3kd.pipeline.noising import NOISE, Starts, all_noise, ask_noise, draw_starts, images_per_push, kept_pixels
from db3kd.pipeline.priming import prime
from db3kd.pipeline.story import Budget, Priming, Progress, silent
from db3kd.pipeline.synthesized import PICTURE, Synthesized, check_makeable, keep, kept_synthesis
from db3kd.report.schema import Synthesis
from db3kd.runs import Run
from db3kd.synthesis import NoiseOptions, Repulsion, repel
from db3kd.teachers import Teacher, TeacherSpec
from db3kd.tensorfile import pack, unpack
from db3kd.tensors import Float, Int, Tensor

REPULSION = "repulsion"
_SHARD = "db3kd-repulsion-1"

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Pushing:
    """How images are made by repulsion.

    Args:
        noise: what they start from.
        repulsion: how they are pushed away from the boundary.
        priming: where the primers of a guided search come from, which learn from the noise; None for none.
    """

    noise: NoiseOptions
    repulsion: Repulsion
    priming: Priming | None = None

    def starts(self, num_classes: int) -> int:
        """Most images that are pushed."""
        return self.noise.images_per_class * num_classes


def synthesize(
    run: Run, teacher: Teacher, pushing: Pushing, *, budget: Budget, progress: Progress = silent
) -> Synthesized:
    """Make images out of nothing, or read those that were made before.

    Args:
        run: remembers answers, shards and images.
        teacher: decides.
        pushing: how.
        budget: what may be spent.
        progress: hears how far it is.

    Returns:
        The images at every step asked for, with the class that each was bought with. An image that has not moved since
        it was kept last is not there twice.

    Raises:
        BudgetExhausted: the budget is spent; finished shards and all answers are kept.
        InputError: the teacher put all noise in one class, so that there is no boundary to be seen; or its bounds are
            not those of images.
        RunMismatch: the run belongs to other images, or was made in another way.
        TeacherError: the teacher failed for good.

    Cost: at most `noise.rounds` rounds of noise, and `repulsion.most_queries` for each image that is pushed.
    """
    provenance = {"teacher": teacher.spec.fingerprint, "pushing": repr(pushing)}
    finished = kept_synthesis(run, provenance)
    if finished is not None:
        return finished
    _check(run, teacher.spec)
    answers = ask_noise(run, teacher, pushing.noise, budget=budget, progress=progress)
    begun = draw_starts(teacher.spec, pushing.noise, answers)
    repulsion, beside = pushing.repulsion, 0
    if pushing.priming is not None and isinstance(repulsion.method, GuidedDistance):
        noise = all_noise(teacher.spec, pushing.noise, len(answers))
        primed = prime(
            run, teacher, noise, answers, pushing.priming, budget=budget, device=repulsion.device, progress=progress
        )
        repulsion, beside = replace(repulsion, method=replace(repulsion.method, guide=primed.guide)), primed.queries
    shards = _push_all(run, teacher, begun, repulsion, budget=budget, progress=progress)
    made = _gather(teacher.spec, pushing, begun, answers, shards, beside=beside)
    _put_picture(run, pushing.repulsion, begun, shards, made.figures)
    keep(run, teacher, made, provenance)
    return made


def _check(run: Run, spec: TeacherSpec) -> None:
    """Refuse before a query what could not be kept, or not be an image, afterwards."""
    check_makeable(spec)
    begun = run.has(f"{NOISE}.safetensors") or (run.folder / f"{NOISE}.journal").exists()
    if run.has("decisions.safetensors") and not begun:
        raise RunMismatch(
            f"{run.folder} holds decisions of images that were not made in it; nothing was asked: use another run "
            "directory"
        )


def _push_all(
    run: Run, teacher: Teacher, begun: Starts, repulsion: Repulsion, *, budget: Budget, progress: Progress
) -> list[dict[str, Tensor]]:
    """Push all starts, shard by shard, or read the shards that are finished."""
    pool = ExemplarPool(
        Dataset(NOISE, begun.ids, kept_pixels(begun.images, teacher.spec), None, ()),
        begun.decisions,
        num_classes=teacher.spec.num_classes,
    )
    scope = identity_of(teacher, repr(repulsion), *begun.ids, begun.decisions.numpy().tobytes().hex())
    kept_shards, done, pushed = run.shards_of(REPULSION), 0, []
    with asking(run, teacher, budget, REPULSION) as oracle:
        for index, rows in enumerate(torch.arange(len(begun.ids)).split(images_per_push(teacher.spec))):
            progress(REPULSION, done, len(begun.ids), "images")
            identity = scope + index.to_bytes(4, "big")
            if kept_shards.get(index) is None:
                with kept_shards.journal(index, identity) as journal:
                    found = repel(
                        Remembering(oracle, journal),
                        begun.images[rows],
                        [begun.ids[row] for row in rows.tolist()],
                        begun.decisions[rows],
                        pool,
                        repulsion,
                    )
                tensors = {"distances": found.distances, "pushes": found.pushes, "queries": found.queries}
                tensors["pixels"] = torch.stack([kept_pixels(images, teacher.spec) for images in found.images])
                kept_shards.put(index, pack(tensors, {"identity": identity.hex()}, kind=_SHARD))
            pushed.append(_read_shard(run, index, identity))
            done += len(rows)
            progress(REPULSION, done, len(begun.ids), "images")
    return pushed


def _read_shard(run: Run, index: int, identity: bytes) -> dict[str, Tensor]:
    shards = run.shards_of(REPULSION)
    way_out = "delete it and run again: only this shard is made, and its queries paid, again"
    data = shards.get(index) or b""
    tensors, about = unpack(data, kind=_SHARD, origin=str(shards.path(index)), way_out=way_out)
    check_made_for(shards.path(index), about, identity)
    return tensors


def _gather(
    spec: TeacherSpec,
    pushing: Pushing,
    begun: Starts,
    answers: Int[Tensor, " n"],
    shards: list[dict[str, Tensor]],
    *,
    beside: int,
) -> Synthesized:
    """Put images and figures together."""
    pixels = torch.cat([shard["pixels"] for shard in shards], dim=1)
    distances = torch.cat([shard["distances"] for shard in shards], dim=1)
    pushes = torch.cat([shard["pushes"] for shard in shards], dim=1)
    # An image that stayed where it was since it was kept last is one image, not two.
    before = torch.cat([kept_pixels(begun.images, spec)[None], pixels[:-1]])
    moved = (pixels != before).flatten(2).any(dim=2)
    # One that never moved is kept once as it is: its class was paid.
    moved[0] |= ~moved.any(dim=0)
    steps = sorted(pushing.repulsion.keep)
    ids = tuple(
        f"{begun.ids[row]}/step/{step:02}"
        for step, rows in zip(steps, moved, strict=True)
        for row in rows.nonzero()[:, 0].tolist()
    )
    decisions = begun.decisions.expand(len(steps), -1)[moved]
    by_class = torch.bincount(decisions, minlength=spec.num_classes)
    queries = {NOISE: len(answers), REPULSION: int(sum(int(shard["queries"].sum()) for shard in shards))}
    figures = Synthesis(
        method="repulsion",
        images=len(ids),
        images_by_class=tuple(by_class.tolist()),
        noise_by_class=tuple(torch.bincount(answers, minlength=spec.num_classes).tolist()),
        starts_by_class=tuple(torch.bincount(begun.decisions, minlength=spec.num_classes).tolist()),
        missing=tuple((by_class == 0).nonzero()[:, 0].tolist()),
        queries=queries if pushing.priming is None else {**queries, pushing.priming.name: beside},
        distances=tuple(_means(distances)),
        pushes=tuple(pushes.mean(dim=1).tolist()),
    )
    return Synthesized(Dataset("repulsion", ids, pixels[moved], None, ()), decisions, figures)


def _put_picture(
    run: Run, repulsion: Repulsion, begun: Starts, shards: list[dict[str, Tensor]], figures: Synthesis
) -> None:
    """Draw the first image of each class over the steps, where the extra `report` is installed."""
    try:
        # Here and not above: the extra is optional, and matplotlib takes half a second.
        from db3kd.report.strips import draw_strips
    except ImportError as error:
        _log.info("no picture was drawn, since %s is missing: pip install 'db3kd[report]'", error.name)
        return
    classes = begun.decisions.unique().tolist()
    first = torch.tensor([int((begun.decisions == number).nonzero()[0, 0]) for number in classes])
    pixels = torch.cat([shard["pixels"] for shard in shards], dim=1)[:, first]
    seen = pixels.float() / 255 if pixels.dtype == torch.uint8 else pixels
    strips = torch.cat([begun.images[first][None], seen]).transpose(0, 1)
    run.put(PICTURE, draw_strips(strips, [str(number) for number in classes], (0, *repulsion.keep), figures.distances))


def _means(distances: Float[Tensor, "t n"]) -> Iterator[float | None]:
    """The mean of what was found at each step."""
    for row in distances:
        found = row[row.isfinite()]
        yield found.mean().item() if len(found) else None
