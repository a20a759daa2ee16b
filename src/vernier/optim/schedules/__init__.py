"""The learning rate as a pure function of the optimizer step."""

from vernier.optim.schedules.make import Schedule, make_schedule
from vernier.optim.schedules.momentum import make_momentum, set_momentum

__all__ = ["Schedule", "make_momentum", "make_schedule", "set_momentum"]
