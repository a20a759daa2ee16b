"""A chain on a model, from its letters to its report."""

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from vernier.config.flat import flatten
from vernier.config.loading import LoadedConfig
from vernier.deploy.chain.end import ChainEnd
from vernier.deploy.chain.order import read_chain
from vernier.deploy.chain.report import write_chain_page
from vernier.deploy.chain.run import run_chain
from vernier.deploy.chain.steps import Subject, Verbs, chain_action

RECORD_FILE: Final = "chain.json"
PAGE_FILE: Final = "chain.html"
_CONFIG_ENDINGS: Final = (".yaml", ".yml")
_SECTIONS: Final = ("evaluate", "export", "quantize")


def is_config(path: Path) -> bool:
    """Whether it is a config file by its name."""
    return path.suffix in _CONFIG_ENDINGS


def chain_model(letters: str, model: Path, overrides: Sequence[str], verbs: Verbs, directory: Path | None) -> ChainEnd:
    """Do all letters but `t`, and write chain.json and chain.html.

    Args:
        letters: Of the whole chain.
        model: A run, a bundle or a float ONNX file.
        overrides: Settings that the steps take.
        verbs: What does the steps.
        directory: For what is written; None for the run itself, else a directory beside the model.

    Raises:
        VernierError: Anything wrong with the model, the data or the directory.
    """
    place = _directory(model) if directory is None else directory
    config = model / "config.yaml"
    settings = {
        "overrides": list(overrides),
        "config": config.read_text(encoding="utf-8") if config.is_file() else None,
    }
    whole = read_chain(letters)
    steps = [step for step in whole if step.letter != "t"]
    subject = Subject(model, place, settings)
    # An error for what is no model, before a directory is made for it.
    subject.weights()
    place.mkdir(parents=True, exist_ok=True)
    action = chain_action(subject, verbs)
    record = run_chain("".join(step.letter for step in whole), steps, place / RECORD_FILE, action, _say)
    write_chain_page(place / PAGE_FILE, record, model.resolve().name)
    return ChainEnd(record, place)


def deployment_overrides(loaded: LoadedConfig) -> list[str]:
    """What was given for the steps after the training, as `key=value`."""
    given = flatten(loaded.given).items()
    return [f"{key}={json.dumps(value)}" for key, value in given if key.partition(".")[0] in _SECTIONS]


def _say(line: str) -> None:
    print(f"chain: {line}", file=sys.stderr, flush=True)


def _directory(model: Path) -> Path:
    """The run itself; `MODEL_chain` beside a bundle or a file."""
    if (model / "config.yaml").is_file():
        return model
    place = Path(os.path.abspath(model))  # noqa: PTH100 (a link keeps its name)
    return place.with_name(f"{place.stem if place.is_file() else place.name}_chain")
