"""What a run holds beside its transfer set: answers on other images, and the primers that learned from some of them.

Mixtures were asked about for the primers, probes were asked about by a search: both are paid, and a student may learn
from them at no further query. Called by `lessons`' callers; buying them is the matter of `priming` and `labelling`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

from db3kd.data import Dataset
from db3kd.errors import InputError
from db3kd.pipeline.labelling import kept_probes
from db3kd.pipeline.priming import kept_mixtures, kept_primers, mixtures_for
from db3kd.pipeline.story import Beside, Distillation, Story
from db3kd.runs import Run
from db3kd.tensors import Int, Tensor
from db3kd.transfer import TransferSet


@dataclass(frozen=True, eq=False)
class Supplement:
    """Answers on other images than those of a transfer set.

    Args:
        images: sets of them.
        decisions: the teacher's classes, for each set.
        primers: networks that learned from answers of the same teacher.
    """

    images: tuple[Dataset, ...] = ()
    decisions: tuple[Int[Tensor, " _"], ...] = ()
    primers: tuple[nn.Module, ...] = ()


NOTHING = Supplement()


def check_supplement(story: Story) -> None:
    """Refuse a student that is to learn from what its run is not going to hold, before a query is spent.

    Args:
        story: what is asked for.

    Raises:
        InputError: primers, mixtures or probes are to be learned from, and none are to be made.
    """
    learning, priming = story.distillation, story.priming
    if learning.softening == "primers" and priming is None:
        raise InputError(
            "softening = 'primers' needs primers, and none are to be trained; nothing was asked: set primer.networks "
            "to 4, or take another softening"
        )
    if "mixtures" in learning.beside and (priming is None or not mixtures_for(len(story.images), priming)):
        raise InputError(
            "beside = 'mixtures' needs mixtures that primers learn from, and none are to be asked about; nothing was "
            "asked: set primer.networks to 4 and primer.mixtures_per_image to 2, or leave mixtures out of `beside`"
        )
    if "probes" in learning.beside and not story.labelling.keep_probes:
        raise InputError(
            "beside = 'probes' needs points that a search keeps, and none are to be kept; nothing was asked: set "
            "label.keep_probes to 100000, or leave probes out of `beside`"
        )


def kept_supplement(
    run: Run, transfer: TransferSet, *, beside: Sequence[Beside] = (), primers: bool = False
) -> Supplement:
    """Read what a student is to learn from beside a transfer set.

    Args:
        run: what was bought.
        transfer: of this run.
        beside: which sets.
        primers: whether primers are asked.

    Returns:
        These sets, and the primers, if they are wanted, as far as the run holds some.

    Raises:
        InputError: the run holds no such set.
        ArtifactError: a file was edited or truncated.
        RunMismatch: mixtures belong to other images.
    """
    images, decisions = [], []
    for name in beside:
        found = kept_mixtures(run, transfer) if name == "mixtures" else _probes(run, transfer)
        if found is None:
            way_out = "--primers 4" if name == "mixtures" else "--keep-probes 100000"
            raise InputError(
                f"{run.folder} holds no {name} to learn from; nothing was trained: label in a run of its own with "
                f"`{way_out}`, or leave {name} out of `beside`"
            )
        images.append(found[0])
        decisions.append(found[1])
    return Supplement(tuple(images), tuple(decisions), kept_primers(run).networks if primers else ())


def supplement_for(run: Run, transfer: TransferSet, distillation: Distillation) -> Supplement:
    """Read what a distillation learns from beside a transfer set; see `kept_supplement`."""
    primers = distillation.softening == "primers"
    return kept_supplement(run, transfer, beside=distillation.beside, primers=primers)


def _probes(run: Run, transfer: TransferSet) -> tuple[Dataset, Int[Tensor, " p"]] | None:
    found = kept_probes(run)
    if found is None:
        return None
    ids = tuple(f"{transfer.images.name}/probe/{number:07}" for number in range(len(found.points)))
    return Dataset("probes", ids, found.points, None, transfer.images.class_names), found.decisions
