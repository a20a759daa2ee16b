"""`scenario`: a class of the user's own that makes parts of a training."""

from typing import Any

from pydantic import ConfigDict

from vernier.config.base import Section
from vernier.config.types import Text


class ScenarioConfig(Section):
    """A class of your own that overrides parts of a training, and its own parameters beside the name."""

    model_config = ConfigDict(extra="allow")

    name: Text
    """`package.module:Class`, the module, its package, or the file's path; also the first word of `vernier train`.
    The resolved config holds the first form and all parameters."""

    @property
    def parameters(self) -> dict[str, Any]:
        """The scenario's own parameters by name."""
        return dict(self.model_extra or {})
