"""From a model's name to a network fitted to its data."""

from collections.abc import Iterable, Mapping

import torch
from torch import nn

from vernier.config.model import ModelConfig
from vernier.errors import ModelError
from vernier.models.algebra.convert import convert
from vernier.models.architecture import Architecture, Provider
from vernier.models.from_callable import PythonProvider, ZooProvider
from vernier.models.from_timm import TimmProvider
from vernier.models.from_torchvision import TorchvisionProvider
from vernier.models.head import fit_head, insert_head_layers
from vernier.models.provider import ModelProvider, StemInit
from vernier.models.spellings import nearest
from vernier.models.width import divide_width

PROVIDERS: Mapping[Provider, ModelProvider] = {
    "zoo": ZooProvider(),
    "python": PythonProvider(),
    "timm": TimmProvider(),
    "torchvision": TorchvisionProvider(),
}
"""In the order in which `provider=auto` asks them."""

_HUB_PREFIXES = ("hf-hub:", "hf_hub:", "local-dir:")


def find_provider(model: ModelConfig) -> Provider:
    """Who builds `model.name`: `model.provider`, or with auto the first that knows the name.

    Raises:
        ModelError: nobody knows it; with the closest names.
    """
    _refuse_hub(model.name)
    if model.provider != "auto":
        return _require_known(model.name, model.provider)
    for provider, candidate in PROVIDERS.items():
        if candidate.knows(model.name):
            return provider
    names = [name for candidate in PROVIDERS.values() for name in candidate.names()]
    raise ModelError(
        f"model.name={model.name}: neither the zoo, timm nor torchvision has it.{_nearest(model.name, names)} "
        "`vernier models PATTERN` lists names; your own code is package.module:callable"
    )


def make_architecture(
    model: ModelConfig, *, num_outputs: int, channels: int, input_size: tuple[int, int]
) -> Architecture:
    """The architecture that a resolved config describes.

    Raises:
        ModelError: nobody knows the name.
    """
    return Architecture(
        provider=find_provider(model),
        name=model.name,
        kwargs=dict(model.kwargs),
        num_outputs=num_outputs,
        channels=channels,
        input_size=input_size,
        dropout=model.dropout,
        depth=model.depth,
        width_divisor=model.width_divisor,
        head=model.head,
        head_name=model.head_name,
        algebra=model.algebra,
    )


def build_model(architecture: Architecture, *, pretrained: bool = False, stem_init: StemInit = "auto") -> nn.Module:
    """The network on the CPU in train mode, head and stem fitted; initial weights from torch's generator.

    Raises:
        ModelError: the provider can't build it, its weights can't be had, or one black image does not give
            `num_outputs` logits.
    """
    module = construct(architecture, pretrained=pretrained, stem_init=stem_init)
    _require_logits(module, architecture)
    return module.train()


def construct(architecture: Architecture, *, pretrained: bool = False, stem_init: StemInit = "auto") -> nn.Module:
    """`build_model` without trying the network on an image; the provider must know the name."""
    _refuse_hub(architecture.name)
    _require_known(architecture.name, architecture.provider)
    provider = PROVIDERS[architecture.provider]
    module = provider.build(architecture, pretrained=pretrained, stem_init=stem_init)
    image = torch.zeros(1, architecture.channels, *architecture.input_size)
    fit_head(module, architecture.num_outputs, architecture.head_name, image)
    if architecture.width_divisor != 1 and not provider.divides_width(architecture.name):
        divide_width(module, architecture.width_divisor, image)
    insert_head_layers(module, architecture.head, image=image)
    if architecture.algebra is None:
        return module
    return convert(module, architecture.algebra, image)


def _refuse_hub(name: str) -> None:
    if name.startswith(_HUB_PREFIXES):
        raise ModelError(
            f"model.name={name}: networks are not fetched from a hub or a directory; name the timm architecture, "
            "and give its weights as model.weights=FILE.safetensors"
        )


def _require_known(name: str, provider: Provider) -> Provider:
    if PROVIDERS[provider].knows(name):
        return provider
    others = [other for other, candidate in PROVIDERS.items() if other != "python" and candidate.knows(name)]
    elsewhere = f" {others[0]} has it: model.provider={others[0]}." if others else ""
    suggestion = _nearest(name, PROVIDERS[provider].names())
    raise ModelError(
        f"model.name={name}: {provider} does not have it.{elsewhere}{suggestion} `vernier models PATTERN` lists names"
    )


def _nearest(name: str, names: Iterable[str]) -> str:
    """` Did you mean a, b?`, other tools' spellings included; nothing when no name is close."""
    close = nearest(name, names)
    return f" Did you mean {', '.join(close)}?" if close else ""


@torch.no_grad()
def _require_logits(module: nn.Module, architecture: Architecture) -> None:
    """Send one black image through, in eval mode: sizes and shapes that can't work show before training."""
    image = torch.zeros(1, architecture.channels, *architecture.input_size)
    size = list(architecture.input_size)
    try:
        logits = module.eval()(image)
    except (RuntimeError, ValueError, AssertionError) as error:
        raise ModelError(
            f"model.name={architecture.name}: it can't take an image of model.input_size={size} with "
            f"{architecture.channels} channel(s): {str(error) or 'a check of its own fails'}."
            f"{_usual_size(architecture)}"
        ) from error
    shape = list(logits.shape) if isinstance(logits, torch.Tensor) else type(logits).__name__
    if shape != [1, architecture.num_outputs]:
        raise ModelError(
            f"model.name={architecture.name}: one image gives {shape} instead of logits [1, "
            f"{architecture.num_outputs}]; it is not a classifier of {architecture.num_outputs} outputs. Name its last "
            "layer with model.head_name, and that is made to fit"
        )


def _usual_size(architecture: Architecture) -> str:
    if architecture.provider == "python":
        return ""
    height, width = PROVIDERS[architecture.provider].defaults(architecture.name).input_size
    return f" Its own size is model.input_size=[{height},{width}]"
