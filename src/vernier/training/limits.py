"""Less than all images: `train.limit_train`, `limit_val`, `overfit_batches` and `fast_dev_run`."""

import math
from dataclasses import replace
from typing import Final

import numpy as np

from vernier.config.duration import Duration
from vernier.config.train import TrainConfig
from vernier.data.order import BatchOrder
from vernier.data.splits import Split

ONE_BATCH: Final = Duration(1, "st")


def limited_order(order: BatchOrder, train: TrainConfig) -> BatchOrder:
    """The batches of every epoch that `train` leaves.

    Args:
        order: Of whole epochs.
    """
    batches = [order.batches_per_epoch]
    if train.limit_train is not None:
        batches.append(_part(order.batches_per_epoch, train.limit_train))
    if train.overfit_batches is not None:
        batches.append(train.overfit_batches)
    if train.fast_dev_run:
        batches.append(1)
    limit = min(batches)
    whole = limit == order.batches_per_epoch
    return replace(order, limit=0 if whole else limit, alike=train.overfit_batches is not None)


def limited_positions(positions: np.ndarray, limit: Duration, batch_size: int) -> np.ndarray:
    """At most so many of some samples, spread evenly over them, int64 (n,) in their order.

    Args:
        positions: int64 (N,).
        limit: In `st`, batches of `batch_size`, or in `%`; at least one sample is left.
    """
    wanted = round(limit.value) * batch_size if limit.unit == "st" else _part(len(positions), limit)
    count = min(wanted, len(positions))
    return positions[np.arange(count) * len(positions) // max(count, 1)]


def overfit_positions(positions: np.ndarray, order: BatchOrder) -> np.ndarray:
    """The samples that `train.overfit_batches` trains on, each once, int64 (n,) in the order of the source.

    Args:
        positions: int64 (N,), all training samples.
        order: From `limited_order`.
    """
    batches = [order.batch(0, number) for number in range(order.batches_per_epoch)]
    chosen: np.ndarray = positions[np.unique(np.concatenate(batches))]
    return chosen


def validation_positions(split: Split, order: BatchOrder, train: TrainConfig, batch_size: int) -> np.ndarray:
    """The samples that training validates on, int64 (n,).

    Args:
        order: From `limited_order`.
        batch_size: `data.eval_batch_size`.
    """
    if train.overfit_batches is not None:
        return overfit_positions(split.train, order)
    if train.fast_dev_run:
        return limited_positions(split.val, ONE_BATCH, batch_size)
    return split.val if train.limit_val is None else limited_positions(split.val, train.limit_val, batch_size)


def described_limits(split: Split, order: BatchOrder, train: TrainConfig, batch_size: int) -> tuple[str, ...]:
    """What training leaves out, in sentences for the log; arguments as for `validation_positions`."""
    said = []
    validated = len(validation_positions(split, order, train, batch_size))
    if train.overfit_batches is not None:
        said.append(
            f"train.overfit_batches: training on {order.batches_per_epoch} batch(es), {validated} images, as "
            "evaluation sees them, in the same order every epoch, and validating on the same images: what is measured "
            "says nothing about others"
        )
    elif order.limit:
        cause = "train.fast_dev_run" if train.fast_dev_run else "train.limit_train"
        whole = replace(order, limit=0).batches_per_epoch
        said.append(f"{cause}: {order.limit} of the {whole} batches of an epoch")
    if train.overfit_batches is None and validated < len(split.val):
        cause = "train.fast_dev_run" if train.fast_dev_run else "train.limit_val"
        said.append(f"{cause}: validation on {validated} of {len(split.val)} images")
    return tuple(said)


def _part(whole: int, limit: Duration) -> int:
    """So much of a number of things, at least one of them."""
    part = limit.value if limit.unit == "st" else limit.value / 100 * whole
    return min(whole, max(1, math.ceil(part - 1e-9)))
