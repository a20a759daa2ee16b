"""`vernier card`: the page that describes a bundle."""

import json
from pathlib import Path

from vernier.cli_words import UsageError, take_path, take_switch, take_value


def card(words: list[str]) -> int:
    """Run the verb; returns the exit status."""
    as_json, output = take_switch(words, "--json"), take_value(words, "--output")
    bundle = take_path(words, "card", "BUNDLE or RUN")
    if words:
        raise UsageError("card", f"{' '.join(words)!r} is not understood")
    from vernier import api

    file = api.card(bundle, output=None if output is None else Path(output))
    print(json.dumps({"bundle": bundle, "file": str(file)}, ensure_ascii=False) if as_json else f"card: {file}")
    return 0
