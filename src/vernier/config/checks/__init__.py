"""What has to hold between fields, also of different sections; one file a section."""

from vernier.config.checks import (
    augment,
    callbacks,
    data,
    data_lists,
    data_records,
    data_split,
    evaluate,
    export,
    loss,
    model,
    optimizer,
    quantize,
    scenario,
    schedule,
    track,
    train,
)
from vernier.config.checks.finding import Check, Finding

CHECKS: tuple[Check, ...] = (
    *data.CHECKS,
    *data_lists.CHECKS,
    *data_records.CHECKS,
    *data_split.CHECKS,
    *scenario.CHECKS,
    *callbacks.CHECKS,
    *model.CHECKS,
    *train.CHECKS,
    *schedule.CHECKS,
    *optimizer.CHECKS,
    *loss.CHECKS,
    *evaluate.CHECKS,
    *track.CHECKS,
    *augment.CHECKS,
    *export.CHECKS,
    *quantize.CHECKS,
)

__all__ = ["CHECKS", "Check", "Finding"]
