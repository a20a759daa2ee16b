"""What has to hold for `evaluate`. One function a rule."""

from vernier.config.checks.finding import Check

CHECKS: tuple[Check, ...] = ()
