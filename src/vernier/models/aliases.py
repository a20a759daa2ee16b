"""Configs in the spelling of other systems, turned into ours."""

import inspect
from collections.abc import Iterable, Mapping
from typing import Any

from vernier.config.model import ModelConfig
from vernier.config.words import join_or
from vernier.errors import ModelError
from vernier.models.provider import ModelProvider, refuse_reserved
from vernier.models.providers import PROVIDERS
from vernier.models.spellings import left_out, squash, translate
from vernier.models.zoo import ZOO

_MOBILENET_V2 = "mobilenetv2_100"
_MOBILENET_V2_ANY_WIDTH = "mobilenet_v2"
_MOBILENET_V2_BY_ALPHA = {
    0.35: "mobilenetv2_035",
    0.5: "mobilenetv2_050",
    0.75: "mobilenetv2_075",
    1.0: _MOBILENET_V2,
    1.4: "mobilenetv2_140",
}
_ST_RESNET = "st_resnet"
_ST_RESNET_BY_DEPTH = {8: "st_resnet8", 20: "st_resnet20", 32: "st_resnet32"}
_EFFICIENTNET_V2 = "efficientnetv2"
_EFFICIENTNET_V2_TYPES = ("B0", "B1", "B2", "B3", "S")

_VERSIONS: Mapping[str, Mapping[str, str]] = {
    "mobilenet": {"v1": "mobilenet_v1", "v2": _MOBILENET_V2},
    "stfdmobilenet": {"v1": "st_fd_mobilenet_v1"},
    "resnet": {"v1": _ST_RESNET},
    "resnet50": {"v2": "resnetv2_50"},
    "squeezenet": {"v11": "squeezenet1_1"},
    "stefficientnetlc": {"v1": "st_efficientnet_lc_v1"},
    "efficientnet": {"v2": _EFFICIENTNET_V2},
}
"""Squashed names to versions to our names; the three families below need one more word."""


def canonical_model(model: ModelConfig) -> tuple[ModelConfig, str | None]:
    """A config in our own words, and why its name changed: `model.name: resnet50 for ResNet50NCHW`.

    A name that its provider knows is kept. Names that nobody knows and that stand for nothing are kept too.

    Raises:
        ModelError: a version, alpha or depth that the network does not have; a name that was left out here.
    """
    if model.version is None and model.alpha is None and _known(model):
        return model, None
    _refuse_left_out(model.name)
    found = _with_alpha(_with_family(_with_version(model)))
    if found == model:
        return model, None
    return found, f"model.name: {found.name}{_arguments(found, model)} for {_described(model)}"


def _known(model: ModelConfig) -> bool:
    return any(provider.knows(model.name) for provider in _providers(model))


def _providers(model: ModelConfig) -> Iterable[ModelProvider]:
    return PROVIDERS.values() if model.provider == "auto" else [PROVIDERS[model.provider]]


def _refuse_left_out(name: str) -> None:
    found = left_out(name)
    if found is not None:
        what, nearest = found
        raise ModelError(f"model.name={name}: {what}, was left out. The nearest is {nearest}")


def _with_version(model: ModelConfig) -> ModelConfig:
    """`name` and `version` as one name; without a version the name that a spelling stands for."""
    versions = _VERSIONS.get(squash(model.name), {})
    if model.version is None:
        return _renamed(model, versions)
    if not versions:
        raise ModelError(
            f"model.version={model.version}: {model.name} comes in no versions; leave model.version out. "
            f"Those that do: {', '.join(_VERSIONS)}"
        )
    version = f"v{model.version.lower().removeprefix('v')}"
    if version not in versions:
        raise ModelError(
            f"model.version={model.version}: {model.name} has {join_or(list(versions))}; set model.version to that"
        )
    return model.model_copy(update={"name": versions[version], "version": None})


def _renamed(model: ModelConfig, versions: Mapping[str, str]) -> ModelConfig:
    if _known(model):
        return model
    name = translate(model.name, [name for provider in _providers(model) for name in provider.names()])
    if name is None and versions:
        raise ModelError(f"model.name={model.name}: which one? Set model.version to {join_or(list(versions))}")
    return model if name is None else model.model_copy(update={"name": name})


def _with_family(model: ModelConfig) -> ModelConfig:
    """STM32's ResNets by depth and EfficientNets v2 by type."""
    if model.name == _ST_RESNET:
        return _st_resnet(model)
    return _efficientnet_v2(model) if model.name == _EFFICIENTNET_V2 else model


def _st_resnet(model: ModelConfig) -> ModelConfig:
    if model.depth not in _ST_RESNET_BY_DEPTH:
        raise ModelError(f"model.depth={model.depth}: resnet v1 comes in depths 8, 20 and 32; set model.depth to one")
    return model.model_copy(update={"name": _ST_RESNET_BY_DEPTH[model.depth], "depth": None})


def _efficientnet_v2(model: ModelConfig) -> ModelConfig:
    size = str(model.kwargs.get("type")).upper()
    if size not in _EFFICIENTNET_V2_TYPES:
        raise ModelError(
            f"model.kwargs.type={model.kwargs.get('type')}: efficientnet v2 comes in types "
            f"{join_or(_EFFICIENTNET_V2_TYPES)}; set model.kwargs.type to one"
        )
    kwargs = {key: value for key, value in model.kwargs.items() if key != "type"}
    return model.model_copy(update={"name": f"tf_efficientnetv2_{size.lower()}", "kwargs": kwargs})


def _with_alpha(model: ModelConfig) -> ModelConfig:
    """`alpha` as a name of a MobileNetV2, or as an argument of the network."""
    if model.alpha is None:
        return model
    if model.name in (_MOBILENET_V2, _MOBILENET_V2_ANY_WIDTH):
        return _mobilenet_v2(model, model.alpha)
    if model.name not in ZOO or "alpha" not in inspect.signature(ZOO[model.name]).parameters:
        raise ModelError(
            f"model.alpha={model.alpha}: {model.name} has no alpha; leave it out. mobilenet_v1, fd_mobilenet and "
            f"{_MOBILENET_V2} have one; model.width_divisor narrows any convolutional network"
        )
    return _with_argument(model, "alpha", model.alpha)


def _mobilenet_v2(model: ModelConfig, alpha: float) -> ModelConfig:
    if model.provider in ("auto", "timm") and alpha in _MOBILENET_V2_BY_ALPHA:
        return model.model_copy(update={"name": _MOBILENET_V2_BY_ALPHA[alpha], "alpha": None})
    return _with_argument(model.model_copy(update={"name": _MOBILENET_V2_ANY_WIDTH}), "width_mult", alpha)


def _with_argument(model: ModelConfig, key: str, value: Any) -> ModelConfig:
    refuse_reserved(model.kwargs, {key: "model.alpha is set too"})
    return model.model_copy(update={"alpha": None, "kwargs": {**model.kwargs, key: value}})


def _arguments(found: ModelConfig, given: ModelConfig) -> str:
    """What became an argument, in brackets."""
    added = [f"{key}={value}" for key, value in found.kwargs.items() if key not in given.kwargs]
    return f" ({', '.join(added)})" if added else ""


def _described(model: ModelConfig) -> str:
    """A config as it was given: `mobilenet, version v2, alpha 0.35`."""
    words = {"version": model.version, "alpha": model.alpha, "type": model.kwargs.get("type")}
    depth = {"depth": model.depth} if squash(model.name) == "resnet" else {}
    return ", ".join(
        [model.name, *(f"{key} {value}" for key, value in {**words, **depth}.items() if value is not None)]
    )
