"""What a scenario is derived from: `from vernier.scenario import Scenario, Section`."""

from vernier.config.base import Section
from vernier.scenario.scenario import Scenario

__all__ = ["Scenario", "Section"]
