"""The fixture of the scenario tests."""

from scenario_modules import workplace

__all__ = ["workplace"]
