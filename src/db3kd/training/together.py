"""Members of a committee that learn the same as one stacked network: on a GPU a step of all is launched as one.

Small networks leave a GPU waiting for Python, so that its time goes by the number of operations. Stacked are the
forward and backward pass, the losses, the running means, the optimizer's step, and all of a view but its random
numbers, which each member draws from its own generator. No CUDA graphs: none could be tried. Called by
`db3kd.pipeline.learn`.
"""

import logging
import warnings
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import torch
from torch import nn

from db3kd.arguments import check_arguments
from db3kd.models.placement import find_device, place
from db3kd.tensors import Tensor
from db3kd.training.fitting import Epoch, deterministic, prepare, run_through
from db3kd.training.learners import Stacked, stack
from db3kd.training.objective import Material
from db3kd.training.recipe import Recipe
from db3kd.training.state import TrainingState
from db3kd.training.steps import Steps

_log = logging.getLogger(__name__)

# Of the logits of one step, alone and stacked: rounding differs, in deep networks more.
_ALIKE = 0.02


class _Ended(Exception):
    """Another group of members has failed, or the user has had enough."""


def can_learn_together(modules: Sequence[nn.Module], material: Material, recipe: Recipe, device: str) -> bool:
    """Tell whether networks can learn as one.

    Tried, and not looked up: copies of them are stacked, answer the images of one step in training mode and are
    differentiated. Networks of different shapes cannot be stacked. vmap refuses what draws, as dropout, since each
    member would have to draw as it does alone; what asks for a number inside, or branches on one; and operations that
    it has no rule for. A network that keeps something beside its weights answers otherwise than alone. And what does
    not fit into the memory of the GPU shows here as well, before anything is trained.

    Args:
        modules: with their first weights, so that the answer is the same after an interruption.
        material: what all of them learn.
        recipe: how.
        device: "cpu", "cuda" or "cuda:N".

    Returns:
        Whether each member answers as it does alone. Errors of the networks themselves are left to `fit`.

    Cost: about one step.
    """
    check_arguments(can_learn_together, locals())
    if len(modules) < 2 or not len(material):
        return False
    target, beside = find_device(device), material.unasked.for_each if material.unasked is not None else 1
    rows = torch.arange(recipe.batch_size * max(1, beside)) % len(material)
    try:
        # What vmap does member by member, it warns of.
        with warnings.catch_warnings(action="error"), torch.random.fork_rng(devices=[]):
            networks = [place(one, device).train() for one in modules]
            images = material.images(rows).to(target)
            answered = Stacked(range(len(modules))).answer(stack(networks), images.expand(len(modules), *images.shape))
            answered.sum().backward()
            with torch.no_grad():
                alone = torch.stack([network(images) for network in networks])
    except Exception as error:  # noqa: BLE001  # a network of the user's own may raise anything, most of all here
        _log.debug("members learn one after another: %r", error)
        return False
    return torch.allclose(answered.detach(), alone, rtol=_ALIKE, atol=_ALIKE * float(alone.std()))


def fit_together(
    modules: Sequence[nn.Module],
    material: Material,
    recipe: Recipe,
    *,
    seeds: Sequence[int],
    devices: Sequence[str] = ("cpu",),
    resume: Mapping[int, TrainingState | None] | None = None,
    on_epoch: Callable[[int, Epoch, Callable[[], TrainingState]], None] | None = None,
) -> dict[int, nn.Module]:
    """Train copies of networks of one architecture that learn the same, as one network on each device.

    Each learns the same images in the same order as with `fit`, in the same views, and its states are those of `fit`;
    its weights are the same up to rounding. Interrupted, they are those of a training on the same devices that was not,
    byte for byte.

    Args:
        modules: of all members, with their first weights; `can_learn_together` was true of them.
        material: what all of them learn.
        recipe: how.
        seeds: of the members.
        devices: members are divided among them, and learn there at the same time.
        resume: the members that are needed, by their numbers, and where each goes on; None for all, from their
            beginning. Those that are done already still learn among the others while these learn: how many learn
            together may change the last bit.
        on_epoch: hears the number of a member, what an epoch brought it, and a function that copies its state out; with
            several devices from a thread for each.

    Returns:
        The trained copies of those that are needed, in eval mode.

    Raises:
        PlanError: the parts do not fit each other, or the loss or a weight of a member became infinite or not a number.
        ImageError: there is no image, or a pixel is not a number.
        ArtifactError: a state is of another network or another recipe.
    """
    check_arguments(fit_together, locals())
    resume = dict.fromkeys(range(len(modules))) if resume is None else resume
    ended = Event()

    def learn(device: str, group: Sequence[int]) -> dict[int, nn.Module]:
        needed = {slot: resume[number] for slot, number in enumerate(group) if number in resume}
        if not needed:
            return {}

        def hear(slot: int, epoch: Epoch, state: Callable[[], TrainingState]) -> None:
            if ended.is_set():
                raise _Ended
            if on_epoch is not None:
                on_epoch(group[slot], epoch, state)

        target = find_device(device)
        networks = [prepare(modules[number], material, recipe, device) for number in group]
        steps = Steps(stack(networks), Stacked([seeds[number] for number in group]), material, recipe, target)
        try:
            run_through(steps, recipe, target, until=None, resume=needed, hear=hear)
        except BaseException:
            ended.set()
            raise
        return {group[slot]: _taken_out(steps, slot, networks[slot]) for slot in needed}

    groups = [range(len(modules))[first :: len(devices)] for first in range(len(devices))]
    if len(devices) == 1:
        return learn(devices[0], groups[0])
    # Which operations cuDNN takes is the same for all threads: none of them may put it back before the others are done.
    with deterministic(), ThreadPoolExecutor(len(devices)) as threads:
        running = [threads.submit(learn, *some) for some in zip(devices, groups, strict=True)]
        try:
            errors = [error for one in running if (error := one.exception()) is not None]
        except BaseException:
            ended.set()
            raise
    for error in sorted(errors, key=lambda one: isinstance(one, _Ended)):
        raise error
    return {number: network for one in running for number, network in one.result().items()}


def _taken_out(steps: Steps, number: int, network: nn.Module) -> nn.Module:
    """Put what a member has learned into a network of its own."""
    entries: dict[str, Tensor] = {
        name: steps.learners.own(value, number) for name, value in steps.result.state_dict().items()
    }
    network.load_state_dict(entries)
    return network.eval()
