"""`model` as the user wrote it, turned into an architecture that somebody here builds."""

from vernier.config.model import ModelConfig
from vernier.models.aliases import canonical_model
from vernier.models.from_bundle import model_of_bundle


def settle_model(model: ModelConfig) -> tuple[ModelConfig, str | None]:
    """A bundle's architecture and weights for its directory, our names for those of other tools.

    Returns:
        The config with `version` and `alpha` resolved, and why it changed; None where it did not.

    Raises:
        ModelError: a bundle that can't be read, keys that it fixes, a version or alpha that there is not.
    """
    of_bundle = model_of_bundle(model)
    if of_bundle is not None:
        return of_bundle, f"from the bundle {model.name}"
    return canonical_model(model)
