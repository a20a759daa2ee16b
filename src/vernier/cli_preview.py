"""`vernier preview`: a picture of what an augmentation list does."""

import json
from pathlib import Path

from vernier.cli_words import take_count, take_switch, take_value


def preview(words: list[str]) -> int:
    """Run the verb; returns the exit status."""
    as_json = take_switch(words, "--json")
    output, count = take_value(words, "--output") or "preview.png", take_count(words, "preview", "--images", 4)
    epoch = take_count(words, "preview", "--epoch", 1) - 1
    from vernier import api
    from vernier.config.overrides import split_config_argument

    file, overrides = split_config_argument(words)
    made = api.preview(file, *overrides, output=Path(output), images=count, epoch=epoch)
    print(json.dumps(made.to_json(), indent=1, ensure_ascii=False) if as_json else made.to_text())
    return 0
