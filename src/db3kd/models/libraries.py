"""Networks of timm, torchvision and transformers, fitted to the images and the classes.

`timm:NAME`, `torchvision:NAME` and `hf:NAME` begin with fresh weights, or with published ones (`?pretrained=true`).
Each library is an extra, and imported when one of its networks is asked for. Called by `db3kd.models.build` alone.
"""

import difflib
import json
import sys
import tomllib
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast, final

import torch
from torch import nn

from db3kd.errors import InputError, PlanError, needing
from db3kd.models.adaptation import adapted, read_weights, take_channels
from db3kd.models.logits import check_logits
from db3kd.tensors import Float, Tensor

_EXTRAS = {"timm": "timm", "torchvision": "torchvision", "hf": "huggingface"}
_COLORS = 3
_UNBUILT, _WEIGHTLESS, _UNFIT = "cannot be built", "has no weights at hand", "does not take such images"
_WAYS_OUT = {
    _UNBUILT: "name another network, or other options",
    _WEIGHTLESS: "fetch them once where there is a network, say pretrained=FILE.safetensors, or leave pretrained out",
    _UNFIT: "name another network, other options or images of another size",
}


@dataclass(frozen=True)
class Blueprint:
    """What an architecture of "timm", "torchvision" or "hf" is to be, with options of the library's own that change it.

    It begins with no published weights, with the library's, or with those in a safetensors file.
    """

    library: str
    name: str
    options: Mapping[str, Any]
    pretrained: bool | str
    input_shape: tuple[int, int, int]
    num_classes: int


@final
class Fitted(nn.Module):
    """A network of a library as ours are: images in [0, 1], as published weights expect them, to plain logits."""

    mean: Tensor
    deviation: Tensor

    def __init__(
        self, network: nn.Module, mean: Sequence[float], deviation: Sequence[float], *, configuration: str = ""
    ) -> None:
        super().__init__()
        self.network, self.configuration = network, configuration
        self.register_buffer("mean", torch.tensor(mean).view(-1, 1, 1))
        self.register_buffer("deviation", torch.tensor(deviation).view(-1, 1, 1))

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b num_classes"]:
        """Give the logits of images in [0, 1]."""
        answered = self.network((images - self.mean) / self.deviation)
        logits: Tensor = getattr(answered, "logits", answered)
        return logits


def parse(architecture: str, input_shape: tuple[int, int, int], num_classes: int) -> Blueprint | None:
    """Read "LIBRARY:NAME?option=value&...", whose values are TOML's or words; None where no library is named."""
    library, colon, rest = architecture.partition(":")
    if library not in _EXTRAS or not colon:
        return None
    name, _, query = rest.partition("?")
    options: dict[str, Any] = {}
    for option in filter(None, query.split("&")):
        key, equals, text = option.partition("=")
        if not equals or key in options or not name:
            raise PlanError(f"{architecture!r} cannot be read: expected {library}:NAME?option=value&option=value")
        try:
            options[key] = tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            options[key] = text
    pretrained = options.pop("pretrained", False)
    if not isinstance(pretrained, bool | str):
        raise PlanError(f"pretrained of {architecture!r} must be true, false or a safetensors file, got {pretrained!r}")
    return Blueprint(library, name, options, pretrained, input_shape, num_classes)


def build(wanted: Blueprint, *, configuration: str = "", bare: bool = False) -> nn.Module:
    """Build a network of a library, and see that it takes such images.

    Args:
        wanted: which one.
        configuration: of a network of transformers that was built before, so that what it was built from is not needed.
        bare: leave published weights out, and trust that it works: others are loaded into it.

    Returns:
        The network, in training mode.

    Raises:
        InputError: the library is not installed, or does not fit torch.
        PlanError: it has no such network, the network cannot be built for such images, or its weights are not at hand.
    """
    makers = {"timm": _timm, "torchvision": _torchvision, "hf": _transformers}
    named = f"{wanted.library}:{wanted.name}"
    with _plain_errors(wanted, _UNBUILT):
        network, statistics, settings = makers[wanted.library](wanted, configuration)
    mean, deviation = statistics if wanted.pretrained else ((0.0,), (1.0,))
    fitted = Fitted(network, _for_channels(mean, wanted), _for_channels(deviation, wanted), configuration=settings)
    if bare:
        return fitted
    if wanted.pretrained:
        # What they say while they fetch is no figure.
        with _plain_errors(wanted, _WEIGHTLESS), redirect_stdout(sys.stderr):
            found = _published(wanted) if wanted.pretrained is True else read_weights(str(wanted.pretrained))
        network.load_state_dict(adapted(found, network.state_dict(), wanted.num_classes, named))
    with _plain_errors(wanted, _UNFIT):
        check_logits(fitted.eval(), named, wanted.input_shape, wanted.num_classes)
    return fitted.train()


_Made = tuple[nn.Module, tuple[Sequence[float], Sequence[float]], str]


def _timm(wanted: Blueprint, _: str) -> _Made:
    import timm

    if not timm.is_model(wanted.name):
        raise _unknown(wanted, timm.list_models())
    network = timm.create_model(wanted.name, pretrained=False, **_timm_options(wanted))
    told = timm.models.get_pretrained_cfg(wanted.name)
    statistics = ((0.0,), (1.0,)) if told is None else (told.mean, told.std)
    return cast("nn.Module", network), statistics, ""


def _timm_options(wanted: Blueprint) -> dict[str, Any]:
    import timm

    told = timm.models.get_pretrained_cfg(wanted.name)
    # Networks with a place for each patch are built for a size, the others take any.
    sized = {"img_size": wanted.input_shape[1:]} if told is not None and told.fixed_input_size else {}
    return {"num_classes": wanted.num_classes, "in_chans": wanted.input_shape[0], **sized, **wanted.options}


def _torchvision(wanted: Blueprint, _: str) -> _Made:
    import torchvision

    models = torchvision.models
    if wanted.name not in models.list_models(module=models):
        raise _unknown(wanted, models.list_models(module=models))
    channels, height, width = wanted.input_shape
    sized: dict[str, Any] = {}
    if wanted.name.startswith("vit"):
        sized = {"image_size": height}
    if wanted.name.startswith("maxvit"):
        sized = {"input_size": (height, width)}
    options = {"num_classes": wanted.num_classes, **sized, **wanted.options}
    network = models.get_model(wanted.name, weights=None, **options)
    if channels != _COLORS:
        take_channels(network, channels)
    statistics: tuple[Sequence[float], Sequence[float]] = ((0.0,), (1.0,))
    if wanted.pretrained:
        prepared = models.get_model_weights(wanted.name).DEFAULT.transforms()
        statistics = prepared.mean, prepared.std
    return cast("nn.Module", network), statistics, ""


def _transformers(wanted: Blueprint, configuration: str) -> _Made:
    from transformers import AutoConfig, AutoModelForImageClassification
    from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES

    if configuration:
        kept = json.loads(configuration)
        config = type(AutoConfig.for_model(kept["model_type"])).from_dict(kept)
    elif wanted.name in MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES:
        config = _configured(partial(AutoConfig.for_model, wanted.name), wanted)
    elif _is_place(wanted.name):
        config = _configured(partial(AutoConfig.from_pretrained, wanted.name), wanted)
    else:
        raise _unknown(wanted, list(MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES))
    network = AutoModelForImageClassification.from_config(config, dtype=torch.float32)
    statistics: tuple[Sequence[float], Sequence[float]] = ((0.0,), (1.0,))
    if wanted.pretrained and not configuration and _is_place(wanted.name):
        statistics = _statistics_of(wanted.name)
    return network, statistics, config.to_json_string(use_diff=False)


def _is_place(name: str) -> bool:
    """Whether a name is that of a folder or a file, or of a hub's repository."""
    return "/" in name or Path(name).exists()


def _configured(make: Callable[..., Any], wanted: Blueprint) -> Any:
    """Make a configuration with our classes, channels and size, and what the options say."""
    usual, (channels, height, width) = make(), wanted.input_shape
    unknown = [key for key in wanted.options if not hasattr(usual, key)]
    if unknown:
        raise PlanError(
            f"hf:{wanted.name} has no option {', '.join(unknown)}; no network was built: those of "
            f"{type(usual).__name__} are {', '.join(key for key in sorted(usual.to_dict()) if key[0] != '_')}"
        )
    fitted = {"num_channels": channels, "image_size": height if height == width else (height, width)}
    known = {key: value for key, value in fitted.items() if hasattr(usual, key)}
    return make(**{**known, "num_labels": wanted.num_classes, **wanted.options})


def _statistics_of(name: str) -> tuple[Sequence[float], Sequence[float]]:
    """What published weights expect of pixels; as they are, where nobody says."""
    from transformers.utils import cached_file

    file = cached_file(name, "preprocessor_config.json", _raise_exceptions_for_missing_entries=False)
    told = {} if file is None else json.loads(Path(file).read_text())
    if not told.get("do_normalize", True):
        return (0.0,), (1.0,)
    return told.get("image_mean") or (0.0,), told.get("image_std") or (1.0,)


def _published(wanted: Blueprint) -> dict[str, Tensor]:
    """The weights that a library publishes, from its cache or the network."""
    if wanted.library == "timm":
        import timm

        # It fits channels and sizes itself.
        return dict(timm.create_model(wanted.name, pretrained=True, **_timm_options(wanted)).state_dict())
    if wanted.library == "torchvision":
        import torchvision

        weights = torchvision.models.get_model_weights(wanted.name).DEFAULT
        return dict(weights.get_state_dict(progress=False, check_hash=True, weights_only=True))
    from transformers import AutoModelForImageClassification

    loaded, told = AutoModelForImageClassification.from_pretrained(
        wanted.name, dtype=torch.float32, use_safetensors=True, output_loading_info=True
    )
    # What the file lacks was drawn just now, by no seed.
    return {name: weights for name, weights in loaded.state_dict().items() if name not in told["missing_keys"]}


def _for_channels(values: Sequence[float], wanted: Blueprint) -> list[float]:
    """A value for each channel; where there are not as many, the mean of all."""
    channels = wanted.input_shape[0]
    return list(values) if len(values) == channels else [sum(values) / len(values)] * channels


def _unknown(wanted: Blueprint, names: Sequence[str]) -> PlanError:
    near = difflib.get_close_matches(wanted.name, names, n=4, cutoff=0.5)
    hint = f"nearest are {', '.join(near)}" if near else "see the library's own list"
    return PlanError(f"{wanted.library}:{wanted.name} is unknown; no network was built: {hint}")


@contextmanager
def _plain_errors(wanted: Blueprint, trouble: str) -> Iterator[None]:
    """Turn what a library raises into an error of ours."""
    try:
        named = f"{wanted.library}:{wanted.name}"
        with needing(_EXTRAS[wanted.library], named, outcome="no network was built"), warnings.catch_warnings():
            # They warn about their own future.
            warnings.simplefilter("ignore")
            yield
    except (InputError, PlanError):
        raise
    except Exception as error:  # the libraries' errors share no class but Exception
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        if "torchvision::" in reason:
            raise InputError(
                f"the installed torchvision is of another build than torch {torch.__version__} ({reason}); no network "
                "was built: install both from one place, such as PyTorch's index of CPU wheels"
            ) from error
        shape = "x".join(map(str, wanted.input_shape))
        raise PlanError(
            f"{wanted.library}:{wanted.name} {trouble}, for images of {shape} and {wanted.num_classes} classes "
            f"({reason}); no network was built: {_WAYS_OUT[trouble]}"
        ) from error
