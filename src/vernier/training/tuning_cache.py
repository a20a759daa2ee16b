"""What was measured before on this machine, for the same step, so that it need not be measured again."""

import json
import os
import platform
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, final

import torch

from vernier.atomic import write_text_atomically
from vernier.config.root import Config
from vernier.config.settled import settled
from vernier.data.store_directory import store_directory
from vernier.errors import RunError
from vernier.training.parts import Parts
from vernier.training.speed import Speed
from vernier.versions import versions


@final
@dataclass(frozen=True)
class Tuned:
    """Settings that were chosen by measuring.

    Attributes:
        settings: By dotted key.
        reasons: By dotted key.
    """

    settings: Mapping[str, Any]
    reasons: Mapping[str, str]


def recall(file: Path) -> Tuned | None:
    """What `remember` wrote; None when there is nothing, or nothing that can be read."""
    try:
        values = json.loads(file.read_text())
        return Tuned(dict(values["settings"]), dict(values["reasons"]))
    except (OSError, ValueError, TypeError, KeyError):
        # Whatever is wrong with it, measuring again mends it.
        return None


def remember(file: Path, tuned: Tuned) -> None:
    """Write a choice, where that is possible: without it the next training measures again."""
    with suppress(OSError, RunError):
        file.parent.mkdir(parents=True, exist_ok=True)
        write_text_atomically(file, json.dumps({"settings": dict(tuned.settings), "reasons": dict(tuned.reasons)}))


def cache_file(asked: Config, parts: Parts) -> Path:
    """The file of a choice: named by machine, versions, model, shapes, and what was left to Vernier."""
    key = json.dumps(_facts(asked, parts), sort_keys=True)
    directory = store_directory(settled(parts.config.data.store_dir)) / "speed"
    return directory / f"{sha256(key.encode()).hexdigest()[:32]}.json"


def _facts(asked: Config, parts: Parts) -> dict[str, Any]:
    config = parts.config
    free = [name for name in Speed.of(config).settings() if getattr(asked.train, name) == "auto"]
    return {
        "machine": _machine(),
        "versions": versions(),
        "architecture": parts.architecture.to_json(),
        "trainable": [name for name, parameter in parts.model.named_parameters() if parameter.requires_grad],
        "batch_size": config.data.batch_size,
        "plan": [*parts.plan.describe(), str(parts.plan.output_size)],
        "store": parts.dataset.train_store.reason.partition(":")[0],
        "optimizer": config.optimizer.name,
        "train": config.train.model_dump(mode="json", exclude={"epochs", "monitor", "checkpoint_every", "log_every"}),
        "data.threads": config.data.threads,
        "free": [*free, *(["threads"] if asked.train.threads == "auto" else []), str(asked.data.threads)],
    }


def _machine() -> dict[str, Any]:
    devices = [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
    return {
        "processor": _processor(),
        "count": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "devices": devices,
        "system": platform.platform(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
