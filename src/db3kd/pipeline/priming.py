"""The stage before the guided search: primers, which learn what the teacher decides and can be looked into.

Several networks learn from the same answers: the decisions on the images, and on mixtures of them. Their gradients
guide the search; what they learned from stays in the run. Called by `db3kd.pipeline.label`.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import nn

from db3kd.boundary import Goals, Guide, principal_directions
from db3kd.boundary.guide import margin_slopes
from db3kd.data import Dataset
from db3kd.models import weights
from db3kd.models.placement import find_device, place
from db3kd.pipeline.asking import decide, kept_decisions
from db3kd.pipeline.story import Budget, Priming, Progress, silent
from db3kd.pipeline.students import train
from db3kd.runs import Run
from db3kd.synthesis import mixtures
from db3kd.teachers import Teacher
from db3kd.tensorfile import pack, unpack
from db3kd.tensors import Float, Int, Tensor
from db3kd.training import Objective, Recipe
from db3kd.transfer import TransferSet

PRIMER = "primer"
_MANY_ANSWERS = 20_000
_LEAST_EPOCHS, _MOST_EPOCHS, _IMAGES_SEEN = 10, 60, 1_000_000
_KIND = "db3kd-subspace-1"
_LOOKED_AT = 6000
_SHIFT = 0.05
_ROWS_PER_PASS = 64


@dataclass(frozen=True)
class Primed:
    """What the stage brought.

    Args:
        guide: the primers, for the search.
        queries: what the mixtures cost that they learned from.
    """

    guide: Guide
    queries: int


def prime(  # teacher, images and what is known of them; the rest is keyword-only
    run: Run,
    teacher: Teacher,
    images: Dataset,
    decisions: Int[Tensor, " n"],
    priming: Priming,
    *,
    budget: Budget,
    device: str = "cpu",
    progress: Progress = silent,
) -> Primed:
    """Ask about mixtures and train primers, or read those that a run holds.

    Args:
        run: keeps the decisions on the mixtures, the primers and the subspace of their gradients.
        teacher: decides.
        images: the n images.
        decisions: the teacher's class of each of them.
        priming: how many primers of which kind learn from how many mixtures.
        budget: what may be spent.
        device: where primers are trained and looked into.
        progress: hears how far it is.

    Returns:
        The primers.

    Raises:
        BudgetExhausted: the budget is spent; the answers so far are kept.
        TeacherError: the teacher failed for good.

    Cost: one query a mixture that was not answered before.
    """
    asked = mixtures(images, mixtures_for(len(images), priming), seed=priming.seed)
    answers = decide(run, teacher, asked, budget=budget, stage=priming.name, progress=progress)
    decided = answers < teacher.spec.num_classes
    lesson = images.joined(asked.subset(decided.nonzero()[:, 0]), name=f"{images.name} and mixtures")
    objective = Objective(labels=torch.cat([decisions, answers[decided]]))
    recipe = priming.recipe or primer_recipe(len(lesson))
    primers = tuple(
        train(
            run,
            f"{priming.name}-{number}",
            lesson,
            objective,
            architecture=priming.architecture,
            recipe=recipe,
            num_classes=teacher.spec.num_classes,
            # Far from the seeds that students and teachers are made with: a primer must not begin as its teacher did.
            seed=(priming.seed + 1) * 1_000_003 + number,
            device=device,
            progress=progress,
        )
        for number in range(priming.networks)
    )
    subspace = _subspace(run, primers, images, priming, device=device)
    guide = Guide(primers, subspace, bounds=teacher.spec.bounds, device=device)
    return Primed(guide, len(asked))


def mixtures_for(images: int, priming: Priming) -> int:
    """Tell how many mixtures primers are to learn from beside so many images."""
    return round(priming.mixtures_per_image * images)


def primer_recipe(answers: int, epochs: int | None = None) -> Recipe:
    """Choose how primers learn from so many answers, in so many epochs if these are chosen already.

    Few answers are gone through more often; the rate falls at 70% and 90% of the epochs.
    """
    epochs = epochs or max(_LEAST_EPOCHS, min(_MOST_EPOCHS, _IMAGES_SEEN // max(1, answers)))
    batch = 128 if answers >= _MANY_ANSWERS else 32
    return Recipe("adam", 1e-3, epochs, batch, milestones=(epochs * 7 // 10, epochs * 9 // 10))


def kept_mixtures(run: Run, transfer: TransferSet) -> tuple[Dataset, Int[Tensor, " m"]] | None:
    """Make the mixtures again that a run's primers learned from, with the teacher's decisions on them.

    Args:
        run: holds the decisions.
        transfer: of the run: the images, and how the mixtures were made.

    Returns:
        The mixtures and their classes; None where the run has none.

    Raises:
        ArtifactError: the decisions were edited or truncated.
        RunMismatch: they belong to other images.

    Cost: none.
    """
    count = int(transfer.provenance.get("primer_queries", 0))
    if not count:
        return None
    made = mixtures(transfer.images, count, seed=int(transfer.provenance["primer_seed"]))
    decisions = kept_decisions(run, PRIMER, made)
    if decisions is None:
        return None
    decided = decisions < transfer.num_classes
    return made.subset(decided.nonzero()[:, 0]), decisions[decided]


def has_primers(run: Run) -> bool:
    """Tell whether a run holds primers."""
    return run.has(f"{PRIMER}-0.safetensors")


class KeptPrimers(NamedTuple):
    """The primers of a run.

    Args:
        networks: in eval mode, on the CPU; none where the run has none.
        architecture: of each of them.
    """

    networks: tuple[nn.Module, ...]
    architecture: str


def kept_primers(run: Run) -> KeptPrimers:
    """Read the primers that a run holds."""
    networks: list[nn.Module] = []
    architecture = ""
    while (kept := run.get(f"{PRIMER}-{len(networks)}.safetensors")) is not None:
        network, header = weights.from_bytes(kept, str(run.folder))
        networks.append(network)
        architecture = header["architecture"]
    return KeptPrimers(tuple(networks), architecture)


def closeness(
    primers: tuple[nn.Module, ...],
    images: Float[Tensor, "n c h w"],
    points: Float[Tensor, "n c h w"],
    classes: Int[Tensor, " n"],
) -> float:
    """Tell how well primers know the boundary's normal where it was found.

    The way from an image to its nearest crossing is the normal there.

    Args:
        primers: the networks.
        images: the n images.
        points: the nearest crossing of each.
        classes: the class that it reaches.

    Returns:
        The mean cosine of the primers' gradient to that way.

    Cost: none.
    """
    slopes = Guide(primers, torch.zeros(0, points[0].numel())).slopes(points, Goals.reach(classes))
    ways = (points - images).flatten(1)
    return torch.nn.functional.cosine_similarity(slopes.normals, ways).mean().item()


def _subspace(
    run: Run, primers: tuple[nn.Module, ...], images: Dataset, priming: Priming, *, device: str
) -> Float[Tensor, "m d"]:
    """The directions in which the primers' gradients mostly lie; kept, so that a run that goes on has the same."""
    name = f"{priming.name}-subspace.safetensors"
    kept = run.get(name)
    if kept is not None:
        way_out = "delete it and run again: it is made again, and searches that are unfinished begin anew"
        return unpack(kept, kind=_KIND, origin=str(run.folder / name), way_out=way_out)[0]["subspace"]
    generator = torch.Generator().manual_seed(priming.seed)
    rows = torch.randint(len(images), (_LOOKED_AT,), generator=generator)
    normals = torch.cat([_normals(place(primer, device), images, rows, generator, device=device) for primer in primers])
    subspace = principal_directions(normals, priming.subspace)
    run.put(name, pack({"subspace": subspace}, {}, kind=_KIND))
    return subspace


def _normals(
    primer: nn.Module, images: Dataset, rows: Int[Tensor, " r"], generator: torch.Generator, *, device: str
) -> Float[Tensor, "r d"]:
    """Gradients of a primer's margin towards random classes, a little off the images."""
    network = primer.eval().requires_grad_(False)
    found = []
    for part in rows.split(_ROWS_PER_PASS):
        points = images.images(part)
        points = (points + _SHIFT * torch.randn(points.shape, generator=generator)).to(find_device(device))
        with torch.inference_mode():
            scores = network(points)
        # Any class but the one that it decides: the way to that one is long behind.
        shift = torch.randint(1, scores.shape[1], (len(part),), generator=generator).to(scores.device)
        classes = (scores.argmax(dim=1) + shift) % scores.shape[1]
        found.append(margin_slopes(network, points, classes, torch.ones_like(classes, dtype=torch.bool)).normals.cpu())
    return torch.cat(found)
