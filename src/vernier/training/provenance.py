"""Where a model comes from: what its bundle says besides the versions of the packages."""

import hashlib
import json
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

from vernier.config.root import Config
from vernier.data.splits import Split
from vernier.training.parts import Dataset


def provenance(config: Config, dataset: Dataset) -> dict[str, Any]:
    """What made a model.

    Returns:
        seed; config_sha256 of the resolved config as JSON with sorted keys, without `run`; data_sha256 of the decoded
        images as stored; split_sha256 of who is in which part; git: commit and whether files had changed, of the
        working directory, or None.
    """
    return {
        "seed": config.seed,
        "config_sha256": config_hash(config),
        "data": dataset.source.name,
        "data_sha256": dataset.store.content_hash,
        "split_sha256": _split_hash(dataset.drawn),
        "git": _git(str(Path.cwd())),
    }


def config_hash(config: Config) -> str:
    """SHA-256 of a config, wherever its results go: JSON with sorted keys, without `run`."""
    values = config.model_dump(mode="json", exclude={"run"})
    return hashlib.sha256(json.dumps(values, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def _split_hash(split: Split) -> str:
    """Of the positions in each part, int64, one part after the other with its length before it."""
    digest = hashlib.sha256()
    for part in (split.train, split.val, split.test):
        digest.update(len(part).to_bytes(8, "little") + part.astype("<i8").tobytes())
    return digest.hexdigest()


@cache
def _git(directory: str) -> dict[str, Any] | None:
    commit = _output(directory, "rev-parse", "HEAD")
    if commit is None:
        return None
    return {"commit": commit, "changed": bool(_output(directory, "status", "--porcelain", "--untracked-files=no"))}


def _output(directory: str, *arguments: str) -> str | None:
    """What git says; None where there is no repository or no git."""
    try:
        done = subprocess.run(["git", "-C", directory, *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None
