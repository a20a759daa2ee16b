"""`vernier predict`: classify images."""

import json
from pathlib import Path

from vernier.cli_words import take_count, take_path, take_switch, take_value


def predict(words: list[str]) -> int:
    """Run the verb; returns the exit status: 1 when files can't be read."""
    from vernier import api
    from vernier.deploy import predict as writing

    as_json, probabilities = take_switch(words, "--json"), take_switch(words, "--probabilities")
    trust = take_switch(words, "--trust")
    csv, jsonl = take_value(words, "--csv"), take_value(words, "--jsonl")
    top_k, batch_size = take_count(words, "predict", "--top-k", 1), take_count(words, "predict", "--batch-size", 32)
    bundle = take_path(words, "predict", "BUNDLE or RUN")
    result = api.predict(bundle, words, top_k=top_k, batch_size=batch_size, trust=trust)
    if csv:
        writing.write_csv(Path(csv), result, probabilities=probabilities)
    if jsonl:
        writing.write_json_lines(Path(jsonl), result, probabilities=probabilities)
    if as_json:
        print(json.dumps(writing.to_json(result, probabilities=probabilities), indent=1, ensure_ascii=False))
    else:
        print(writing.to_text(result))
    return 1 if result.failures else 0
