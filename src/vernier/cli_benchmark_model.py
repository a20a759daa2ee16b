"""`vernier benchmark MODEL`: how long a trained or exported network takes on this machine."""

import json
from pathlib import Path

from vernier.cli_words import UsageError, take_seconds, take_switch, take_value


def benchmark_model(words: list[str], *, as_json: bool) -> int:
    """Run the verb; returns the exit status."""
    batch_sizes, threads = _take_counts(words, "--batch-sizes"), _take_counts(words, "--threads")
    size = _take_counts(words, "--image-size")
    compiled, trust = take_switch(words, "--compile"), take_switch(words, "--trust")
    seconds = take_seconds(words) if any(word.startswith("--seconds") for word in words) else 2.0
    unknown = [word for word in words if word.startswith("-")]
    if unknown:
        raise UsageError("benchmark", f"{unknown[0]} is no option of it")
    if size is not None and len(size) != 2:
        raise UsageError("benchmark", "--image-size takes height and width, such as --image-size 480,640")
    from vernier import api

    result = api.benchmark_model(
        [Path(word) for word in words],
        batch_sizes=batch_sizes,
        threads=threads,
        seconds=seconds,
        image_size=None if size is None else (size[0], size[1]),
        compiled=compiled,
        trust=trust,
    )
    print(json.dumps(result.to_json(), indent=1) if as_json else result.to_text())
    return 0


def _take_counts(words: list[str], name: str) -> tuple[int, ...] | None:
    """Whole numbers from 1, joined by commas, behind an option; None without."""
    text = take_value(words, name)
    if text is None:
        return None
    numbers = text.split(",")
    if not all(number.isdecimal() and int(number) > 0 for number in numbers):
        raise UsageError("benchmark", f"{name} takes whole numbers from 1, such as {name} 1,4; not {text!r}")
    return tuple(map(int, numbers))
