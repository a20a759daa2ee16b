"""Networks of another depth."""

from typing import Any

from vernier.errors import ModelError
from vernier.models.architecture import Provider


def depth_arguments(provider: Provider, name: str, depth: int) -> dict[str, Any]:
    """Arguments that give a network of `provider` another number of layers.

    Raises:
        ModelError: its family comes in one depth only, or not in this one.
    """
    raise ModelError(f"model.depth={depth}: {name} ({provider}) comes in one depth only; leave model.depth out")
