"""What only measuring can tell: cached features, batch size, learning rate, and the fastest way to run a step.

It comes between the resolved config and the training; what it finds goes into the resolved config, with the reason.
"""

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from vernier.config.root import Config
from vernier.config.settled import settled
from vernier.data.loader import Batch
from vernier.training.autotune import LIMIT, SHARE, Autotuned, autotune, why_not
from vernier.training.choices import Resolved
from vernier.training.features import settle_features
from vernier.training.find_batch_size import find_batch_size
from vernier.training.find_learning_rate import find_learning_rate
from vernier.training.parts import Dataset, Parts, build_parts
from vernier.training.progressive import for_measuring
from vernier.training.resolve_callbacks import ema_decay
from vernier.training.runtime import make_fabric, process_settings
from vernier.training.setup import build_setup
from vernier.training.speed import with_train
from vernier.training.thread_split import split_threads
from vernier.training.tuning_cache import Tuned, cache_file, recall, remember

Say = Callable[[str], None]


def tune(
    asked: Config, resolved: Resolved, dataset: Dataset, say: Say, *, steps_at_least: int = 0
) -> tuple[Resolved, Parts]:
    """Measure what `asked` leaves open; what follows is as if nothing had been measured.

    Args:
        asked: The config as the user wrote it.
        resolved: Stand-ins for what is not measured yet.
        dataset: From `open_dataset`.
        say: Told what was found.
        steps_at_least: Look for the fastest step as if the training were this long.

    Raises:
        VernierError: whatever can't be built, or no batch fits the memory.
    """
    resolved, parts = _measured(asked, resolved, dataset, say, steps_at_least)
    return _settle_ema_decay(asked, resolved, parts)


def _measured(
    asked: Config, resolved: Resolved, dataset: Dataset, say: Say, steps_at_least: int
) -> tuple[Resolved, Parts]:
    if asked.augment.progressive is not None:
        asked = with_train(asked, compile=False)
    parts = build_parts(resolved.config, dataset, say)
    is_quick = asked.train.fast_dev_run or asked.train.debug
    if asked.train.cache_features is True or not is_quick:
        resolved, parts = _settle_features(asked, resolved, parts, say)
    if is_quick:
        return resolved, parts
    if asked.data.batch_size == "auto":
        found = find_batch_size(resolved.config, dataset, say)
        settings = {"data.batch_size": found.batch_size}
        if asked.data.eval_batch_size == "auto":
            settings["data.eval_batch_size"] = found.batch_size
        resolved, parts = _with(resolved, parts, settings, found.reason, say)
    if asked.train.speed == "auto":
        resolved, parts = _tune_speed(asked, resolved, parts, steps_at_least, say)
    if asked.optimizer.lr == "auto":
        rate = find_learning_rate(resolved.config, dataset, say)
        resolved, parts = _with(resolved, parts, {"optimizer.lr": rate.lr}, rate.reason, say)
    return resolved, parts


def _with(resolved: Resolved, parts: Parts, settings: dict[str, Any], reason: str, say: Say) -> tuple[Resolved, Parts]:
    changed = resolved.with_settings(settings, dict.fromkeys(settings, reason))
    return changed, build_parts(changed.config, parts.dataset, say, parts)


def _settle_ema_decay(asked: Config, resolved: Resolved, parts: Parts) -> tuple[Resolved, Parts]:
    if asked.train.ema is None or asked.train.ema.decay != "auto":
        return resolved, parts
    order = parts.order
    epoch_images = min(order.count, order.batches_per_epoch * order.batch_size)
    decay, reason = ema_decay(order.batch_size * parts.config.train.accumulate, epoch_images)
    changed = resolved.with_settings({"train.ema.decay": decay}, {"train.ema.decay": reason})
    return changed, replace(parts, config=changed.config)


def _settle_features(asked: Config, resolved: Resolved, parts: Parts, say: Say) -> tuple[Resolved, Parts]:
    wanted = with_train(
        resolved.config, cache_features=asked.train.cache_features, feature_views=asked.train.feature_views
    )
    cached, views, reason = settle_features(wanted, parts.model, parts.dataset)
    settings = {"train.cache_features": cached, "train.feature_views": views}
    if asked.model.frozen is not None and not cached and asked.train.cache_features == "auto":
        say(reason)
    return _with(resolved, parts, settings, reason, say)


def _tune_speed(
    asked: Config, resolved: Resolved, parts: Parts, steps_at_least: int, say: Say
) -> tuple[Resolved, Parts]:
    file = cache_file(asked, parts)
    tuned = recall(file)
    total_steps = max(_total_steps(parts), steps_at_least)
    if tuned is None and (reason := why_not(asked.train, parts, total_steps)):
        return resolved.with_settings({}, {"train.speed": reason}), parts
    if tuned is None:
        tuned, is_measured = _measure(asked, parts, total_steps, say)
        if is_measured:
            remember(file, tuned)
    else:
        say(f"speed: measured before on this machine ({file})")
    changed = resolved.with_settings(tuned.settings, tuned.reasons)
    return changed, build_parts(changed.config, parts.dataset, say, parts)


def _measure(asked: Config, parts: Parts, total_steps: int, say: Say) -> tuple[Tuned, bool]:
    config = parts.config
    with process_settings(with_train(config, allocator="system")):
        found = autotune(asked.train, parts, _first_batch(parts), total_steps)
        settings: dict[str, Any] = {f"train.{name}": value for name, value in found.speed.settings().items()}
        reasons = dict.fromkeys(settings, found.reason)
        if not found.trials:
            return Tuned(settings | {"train.speed": "off"}, reasons | {"train.speed": found.reason}), False
        _report(found, settled(config.data.batch_size), say)
        tuned_parts = replace(parts, config=with_train(config, **found.speed.settings()))
        step_seconds = found.step_seconds or 0.0
        left = min(LIMIT, SHARE * total_steps * step_seconds) - found.measured_seconds
        split = split_threads(asked, tuned_parts, step_seconds, left)
    for line in split.table(settled(config.data.batch_size)):
        say(line)
    threads = {"train.threads": split.train_threads, "data.threads": split.data_threads}
    settings |= threads | {"train.speed": "off"}
    reasons |= {key: split.reason for key in threads if split.reason}
    reasons["train.speed"] = "measured already; `auto` measures again"
    return Tuned(settings, reasons), True


def _report(found: Autotuned, batch_size: int, say: Say) -> None:
    say(f"speed: tried {len(found.trials)} settings of the training step in {found.measured_seconds:.1f} s")
    for line in found.table(batch_size):
        say(line)


def _total_steps(parts: Parts) -> int:
    """Steps that cost as much as the whole model's; training on cached features is as good as free."""
    train = parts.config.train
    passes = settled(train.feature_views) if train.cache_features is True else train.epochs
    return min(passes, train.epochs) * parts.order.batches_per_epoch


def _first_batch(parts: Parts) -> Batch:
    """As many images as one process trains on in a step."""
    config = with_train(for_measuring(parts.config), devices=1, num_nodes=1, strategy="single", cache_features=False)
    fabric = make_fabric(config.train)
    fabric.launch()
    share = -(-parts.order.batch_size // parts.config.train.device_count)
    order = replace(parts.order, batch_size=share)
    setup = build_setup(replace(parts, config=config, order=order, model=copy.deepcopy(parts.model)), fabric)
    return setup.loader.batch(0, 0)
