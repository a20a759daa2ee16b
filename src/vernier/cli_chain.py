"""`vernier chain`: train, evaluate, quantize and benchmark in one command."""

import json

from vernier.cli_words import UsageError, refuse_misspelt, take_switch, take_value


def chain(words: list[str]) -> int:
    """Run the verb; returns the exit status: 1 when a gate fails."""
    as_json, trust = take_switch(words, "--json"), take_switch(words, "--trust")
    max_drop, output = take_value(words, "--max-drop"), take_value(words, "--output")
    if not words or "=" in words[0] or words[0].startswith("-"):
        raise UsageError("chain", "name the steps first, such as tqeb")
    from vernier.deploy.chain.order import read_chain

    letters = words.pop(0)
    read_chain(letters)
    if max_drop is not None:
        words.append(f"quantize.max_drop={max_drop}")
    model = words.pop(0) if words and "=" not in words[0] and not words[0].startswith("-") else None
    refuse_misspelt(words, "chain")
    from vernier import api
    from vernier.deploy.chain.report import chain_text

    end = api.chain(letters, model, *words, output=output, trust=trust)
    if as_json:
        print(json.dumps({**end.record.to_json(), "directory": str(end.directory)}, indent=1, ensure_ascii=False))
    elif not end.signal_number:
        if end.exit_status:
            print(end.record.steps[-1].details["text"], end="\n\n")
        print(chain_text(end.record))
        print(f"report: {end.directory / 'chain.html'}")
    return end.exit_status
