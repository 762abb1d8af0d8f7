"""The stage that asks about noise, and what of it is taken further.

All answers are kept; the noise itself is drawn again from its seed. Called by the stages that begin with noise.
"""

from dataclasses import dataclass

import torch

from db3kd.data import Dataset
from db3kd.errors import InputError, RunMismatch
from db3kd.execution import Remembering
from db3kd.pipeline.asking import asking, identity_of, images_per_shard
from db3kd.pipeline.story import Budget, Progress, silent
from db3kd.runs import Run
from db3kd.synthesis import NoiseOptions, choose_of_each, draw_noise
from db3kd.teachers import Teacher, TeacherSpec
from db3kd.tensorfile import pack, unpack
from db3kd.tensors import Float, Int, Tensor, UInt8

NOISE = "noise"
_ANSWERS = "db3kd-noise-1"
_BYTE = 256
_FILE = f"{NOISE}.safetensors"


@dataclass(frozen=True, eq=False)
class Starts:
    """Images of noise to be taken further.

    Args:
        images: within the teacher's bounds and on its levels.
        ids: which noise each of them is.
        decisions: the teacher's class of each.
    """

    images: Float[Tensor, "n c h w"]
    ids: tuple[str, ...]
    decisions: Int[Tensor, " n"]


def ask_noise(
    run: Run, teacher: Teacher, options: NoiseOptions, *, budget: Budget, progress: Progress = silent
) -> Int[Tensor, " n"]:
    """Ask about noise, round by round, until every class has images enough or the rounds are used up.

    Args:
        run: keeps all answers, those that nothing is started from as well.
        teacher: decides.
        options: how much noise of which kind.
        budget: what may be spent.
        progress: hears how far it is.

    Returns:
        The class of each image of noise, round by round; `draw_noise` gives the images again.

    Raises:
        BudgetExhausted: the budget is spent; the answers so far are kept.
        RunMismatch: the run holds answers to other noise.
        TeacherError: the teacher failed for good.

    Cost: one query an image.
    """
    identity, read = identity_of(teacher, repr(options)), _read(run)
    if read is not None:
        tensors, about = read
        if about["identity"] != identity.hex():
            raise RunMismatch(
                f"{run.folder / _FILE} holds answers to other noise or of another teacher; nothing was asked: use "
                "another run directory"
            )
        return tensors["decisions"]
    num_classes, wanted = teacher.spec.num_classes, options.images_per_class
    most = options.rounds * options.per_round(num_classes)
    decisions = torch.zeros(0, dtype=torch.int64)
    with asking(run, teacher, budget, NOISE) as oracle, run.journal(NOISE, identity) as journal:
        ask = Remembering(oracle, journal)
        for number in range(options.rounds):
            progress(NOISE, len(decisions), most, "images at most")
            decisions = torch.cat([decisions, ask(draw_noise(teacher.spec, options, number))])
            if int(torch.bincount(decisions, minlength=num_classes).min()) >= wanted:
                break
    starting = len(choose_of_each(decisions, wanted, num_classes))
    header = {"identity": identity.hex(), "shards": str(-(-starting // images_per_push(teacher.spec)))}
    run.put(_FILE, pack({"decisions": decisions}, header, kind=_ANSWERS))
    run.drop_journal(NOISE)
    return decisions


def count_shards(run: Run) -> int | None:
    """Tell in how many shards the noise is taken further; None where it is not asked yet.

    Args:
        run: holds the answers.

    Returns:
        Their number.

    Raises:
        ArtifactError: the answers were edited or truncated.
    """
    answers = _read(run)
    return None if answers is None else int(answers[1]["shards"])


def draw_starts(spec: TeacherSpec, options: NoiseOptions, answers: Int[Tensor, " n"]) -> Starts:
    """Draw the noise again that is taken further; all other noise is dropped as it is drawn.

    Args:
        spec: of the teacher.
        options: how much of which kind.
        answers: what `ask_noise` gave.

    Returns:
        The first images of each class.

    Raises:
        InputError: all noise is of one class.
    """
    rows = choose_of_each(answers, options.images_per_class, spec.num_classes)
    classes = answers[rows].unique()
    if len(classes) < 2:
        raise InputError(
            f"the teacher put all {len(answers):,} images of noise in class {int(classes[0])}: where nothing is "
            "decided otherwise there is no boundary to be pushed away from. The answers are kept and nothing more was "
            "asked: allow more rounds in another run directory, or begin with images"
        )
    count = options.per_round(spec.num_classes)
    images = torch.cat(
        [
            draw_noise(spec, options, number)[rows[rows // count == number] % count]
            for number in range(-(-len(answers) // count))
        ]
    )
    ids = tuple(f"noise/{options.seed}/{row:06}" for row in rows.tolist())
    return Starts(images, ids, answers[rows])


def all_noise(spec: TeacherSpec, options: NoiseOptions, count: int) -> Dataset:
    """Draw all noise again that was asked about, for primers to learn from.

    Args:
        spec: of the teacher.
        options: how much of which kind.
        count: how many answers there are.

    Returns:
        The images, in the order of the answers.
    """
    rounds = -(-count // options.per_round(spec.num_classes))
    pixels = torch.cat([kept_pixels(draw_noise(spec, options, number), spec) for number in range(rounds)])
    ids = tuple(f"noise/{options.seed}/{row:06}" for row in range(count))
    return Dataset("noise", ids, pixels, None, ())


def kept_pixels(
    images: Float[Tensor, "n c h w"], spec: TeacherSpec
) -> Float[Tensor, "n c h w"] | UInt8[Tensor, "n c h w"]:
    """Give images as they are kept: in bytes where that is all that the teacher sees.

    Args:
        images: on the teacher's levels, in [0, 1].
        spec: of the teacher.

    Returns:
        Pixels as a `Dataset` takes them.
    """
    return (images * (_BYTE - 1)).round().to(torch.uint8) if spec.levels == _BYTE else images


def images_per_push(spec: TeacherSpec) -> int:
    """Tell how many images a shard has.

    Args:
        spec: of the teacher.

    Returns:
        As many as a labelling has of one other class: an image is one row here.
    """
    return images_per_shard(spec.input_shape, 2)


def _read(run: Run) -> tuple[dict[str, Tensor], dict[str, str]] | None:
    data = run.get(_FILE)
    if data is None:
        return None
    way_out = "delete it and run again: it is paid again"
    return unpack(data, kind=_ANSWERS, origin=str(run.folder / _FILE), way_out=way_out)
