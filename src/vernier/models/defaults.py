"""What a model expects of its input, found without building it."""

from dataclasses import replace

from vernier.config.model import ModelConfig
from vernier.models.aliases import canonical_model
from vernier.models.input_sizes import designed_size
from vernier.models.provider import ModelDefaults
from vernier.models.providers import PROVIDERS, find_provider

__all__ = ["ModelDefaults", "model_defaults"]


def model_defaults(model: ModelConfig) -> ModelDefaults:
    """Input size and normalisation of `model.name`; reads no weights and no network.

    Published weights (`model.pretrained`, or a name with their tag) bring their own. Without them EfficientNets B0
    to B7 take the sizes that they were designed for.

    Raises:
        ModelError: nobody knows the name.
    """
    model, _ = canonical_model(model)
    provider = find_provider(model)
    defaults = PROVIDERS[provider].defaults(model.name)
    size = designed_size(model.name)
    if size is None or model.pretrained:
        return defaults
    return replace(defaults, input_size=(size.crop, size.crop), crop_fraction=size.crop_fraction)
