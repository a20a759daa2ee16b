"""What has to hold for `optimizer`. One function a rule."""

from vernier.config.checks.finding import Check

CHECKS: tuple[Check, ...] = ()
