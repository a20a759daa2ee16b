"""Networks of timm (pytorch-image-models)."""

import inspect
import sys
from collections.abc import Iterable
from typing import Any, final

from torch import nn

from vernier.errors import ModelError
from vernier.models.architecture import Architecture
from vernier.models.depth import depth_arguments
from vernier.models.download import download_errors, no_weights, require_reachable
from vernier.models.dropout import no_dropout
from vernier.models.head import head_modules, reset_heads
from vernier.models.provider import (
    ModelDefaults,
    ModelProvider,
    StemInit,
    did_you_mean,
    refuse_reserved,
    rejected_argument,
    unknown_argument,
)
from vernier.models.stem import fit_stem

_ELSEWHERE = "leave it out"
_RESERVED = {
    "num_classes": "it follows from the data's classes",
    "in_chans": "set data.channels",
    "img_size": "set model.input_size",
    "pretrained": "set model.pretrained",
    "aux_logits": "auxiliary heads are not trained",
    "checkpoint_path": "set model.weights=FILE.safetensors",
    **dict.fromkeys(
        (
            "pretrained_cfg",
            "pretrained_cfg_overlay",
            "pretrained_model_args",
            "pretrained_strict",
            "pretrained_filter_fn",
            "cache_dir",
            "scriptable",
            "exportable",
            "no_jit",
            "features_only",
            "feature_cfg",
            "out_indices",
            "kwargs_filter",
        ),
        _ELSEWHERE,
    ),
}
_OURS = ("num_classes", "in_chans", "img_size", "self", "args", "kwargs")


@final
class TimmProvider(ModelProvider):
    """`name` or `name.tag`, as `timm.list_models` and `timm.list_pretrained` give them."""

    def names(self) -> Iterable[str]:
        """Networks, then networks with the tags of their weights."""
        import timm

        return [*timm.list_models(), *timm.list_pretrained()]

    def knows(self, name: str) -> bool:
        """Whether timm has the network, whatever the tag."""
        import timm

        return bool(timm.is_model(name))

    def defaults(self, name: str) -> ModelDefaults:
        """From the entry of the weights that the name or its tag stands for."""
        config = _pretrained_cfg(name)
        _, height, width = config.input_size
        return ModelDefaults(
            provider="timm",
            input_size=(height, width),
            mean=tuple(config.mean),
            std=tuple(config.std),
            interpolation=config.interpolation if config.interpolation in ("bilinear", "nearest") else "bicubic",
            crop_fraction=config.crop_pct,
        )

    def build(self, architecture: Architecture, *, pretrained: bool, stem_init: StemInit = "auto") -> nn.Module:
        """timm fits the head; networks of one image size are built for `input_size`.

        With published weights the network is built for their channels, and its stem is adapted afterwards.
        """
        config = _pretrained_cfg(architecture.name)
        if not pretrained:
            return _create(architecture, config, channels=architecture.channels, pretrained=False)
        from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]

        _require_weights(architecture.name, config)
        with download_errors(architecture.name, HTTPError):
            module = _create(architecture, config, channels=config.input_size[0], pretrained=True)
        fit_stem(module, architecture.channels, stem_init, image_channels=config.input_size[0])
        if architecture.num_outputs != config.num_classes:
            reset_heads(module, head_modules(module))
        return module


def _create(architecture: Architecture, config: Any, *, channels: int, pretrained: bool) -> nn.Module:
    import timm

    arguments = {**_arguments(architecture, config), "in_chans": channels}
    try:
        module: nn.Module = timm.create_model(architecture.name, pretrained=pretrained, **arguments)
    except TypeError as error:
        raise _explain(architecture, config, error) from error
    except (ValueError, AssertionError, RuntimeError, KeyError) as error:
        raise _not_built(architecture, error) from error
    return module


def _pretrained_cfg(name: str) -> Any:
    import timm
    from timm.models import PretrainedCfg

    try:
        return timm.get_pretrained_cfg(name) or PretrainedCfg()
    except RuntimeError:
        network, _, tag = name.partition(".")
        tags = [entry.partition(".")[2] for entry in timm.list_pretrained(f"{network}.*")]
        raise ModelError(
            f"model.name={name}: {network} has no weights with the tag {tag}.{did_you_mean(tag, tags)} "
            f"Tags: {', '.join(tags) or 'none'}"
        ) from None


def _arguments(architecture: Architecture, config: Any) -> dict[str, Any]:
    refuse_reserved(architecture.kwargs, _RESERVED)
    arguments = {**architecture.kwargs, "num_classes": architecture.num_outputs}
    if architecture.depth is not None:
        chosen = depth_arguments("timm", architecture.name, architecture.depth)
        refuse_reserved(architecture.kwargs, dict.fromkeys(chosen, "model.depth is set too"))
        arguments |= chosen
    if architecture.dropout is not None:
        refuse_reserved(architecture.kwargs, {"drop_rate": "model.dropout is set too"})
        arguments["drop_rate"] = architecture.dropout
    if config.fixed_input_size and architecture.input_size != tuple(config.input_size[1:]):
        arguments["img_size"] = architecture.input_size
    return arguments


def _require_weights(name: str, config: Any) -> None:
    if not config.has_weights:
        raise no_weights(name, "timm has none for it")
    if config.hf_hub_id:
        if not _in_cache(config):
            from huggingface_hub import constants

            require_reachable(constants.ENDPOINT, name)
    elif config.url:
        require_reachable(config.url, name)


def _in_cache(config: Any) -> bool:
    from huggingface_hub import try_to_load_from_cache

    names = [config.hf_hub_filename] if config.hf_hub_filename else ["model.safetensors", "pytorch_model.bin"]
    return any(isinstance(try_to_load_from_cache(config.hf_hub_id, name), str) for name in names)


def _explain(architecture: Architecture, config: Any, error: TypeError) -> ModelError:
    rejected = rejected_argument(error)
    if rejected is None:
        return _not_built(architecture, error)
    owner, key = rejected
    if key == "img_size":
        height, width = config.input_size[1:]
        return ModelError(
            f"model.input_size={list(architecture.input_size)}: {architecture.name} only takes images of "
            f"[{height}, {width}]; set model.input_size=[{height},{width}]"
        )
    if key == "drop_rate" and architecture.dropout is not None:
        return no_dropout(architecture.dropout, architecture.name)
    if key in architecture.kwargs:
        return unknown_argument(architecture, key, _accepted(architecture.name, owner))
    return _not_built(architecture, error)


def _accepted(name: str, owner: str) -> list[str]:
    """Arguments of the class `owner` in the module that defines the network; none when it is not there."""
    import timm

    definition = getattr(sys.modules[timm.model_entrypoint(name).__module__], owner, None)
    if definition is None:
        return []
    return [key for key in inspect.signature(definition).parameters if key not in _OURS]


def _not_built(architecture: Architecture, error: Exception) -> ModelError:
    return ModelError(
        f"model.name={architecture.name}: timm can't build it with model.kwargs={architecture.kwargs} and "
        f"model.input_size={list(architecture.input_size)}: {error}"
    )
