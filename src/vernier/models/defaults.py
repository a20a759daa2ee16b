"""What a model expects of its input, found without building it."""

from vernier.config.model import ModelConfig
from vernier.models.provider import ModelDefaults
from vernier.models.providers import PROVIDERS, find_provider

__all__ = ["ModelDefaults", "model_defaults"]


def model_defaults(model: ModelConfig) -> ModelDefaults:
    """Input size and normalisation of `model.name`; reads no weights and no network.

    Raises:
        ModelError: nobody knows the name.
    """
    return PROVIDERS[find_provider(model)].defaults(model.name)
