"""The check of a source that a scenario returns."""

from collections import Counter
from typing import Any

import numpy as np

from vernier.data.source import Source
from vernier.scenario.returned import require, wrong


def require_source(value: Any, method: str) -> Source:
    """The value, if it is a source with a name, a target and a split for each image.

    Raises:
        ConfigError: it is not.
    """
    source: Source = require(value, Source, method)
    images, targets, splits = len(source.images), len(source.targets), len(source.split)
    if not images == targets == splits:
        message = f"returned {images} images, {targets} targets and {splits} names of splits; each image needs one"
        raise wrong(method, message)
    for name in ("weights", "groups", "list_numbers"):
        values = getattr(source, name)
        if values is not None and len(values) != images:
            raise wrong(
                method, f"returned {len(values)} {name} of {images} images; each image needs one, or leave it out"
            )
    twice = [key for key, count in Counter(source.keys()).items() if count > 1]
    if twice:
        raise wrong(method, f"returned images of the same key, such as {twice[0]!r}; name each image once")
    _require_targets(source, method)
    return source


def _require_targets(source: Source, method: str) -> None:
    classes, targets = len(source.class_names), source.targets
    if source.multilabel and (targets.shape[1] != classes or targets.dtype != np.uint8):
        got = f"{targets.dtype} {targets.shape}"
        raise wrong(method, f"returned targets of several labels that are not uint8 (images, {classes}); got {got}")
    if source.multilabel or not len(targets):
        return
    if targets.dtype != np.int64:
        raise wrong(method, f"returned targets that are not int64; got {targets.dtype}")
    if targets.min() < 0 or targets.max() >= classes:
        message = f"returned targets from {targets.min()} to {targets.max()}, but there are {classes} class_names"
        raise wrong(method, message)
