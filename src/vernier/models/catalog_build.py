"""Makes the tables that `vernier models` reads: `python -m vernier.models.catalog_build [--only PROVIDER]`.

timm's table takes about ten minutes, the others seconds. Networks that can't be built and run without their weights'
contents keep blank figures.
"""

import argparse
import csv
import inspect
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from vernier.config.model import ModelConfig
from vernier.models.catalog import CLASSES, LISTED, Listed, Row, field_names, installed_version
from vernier.models.catalog_measure import cost_or_none
from vernier.models.defaults import model_defaults
from vernier.models.providers import PROVIDERS
from vernier.models.zoo import ZOO

_FEWER_CLASSES = 10
_PROGRESS_EVERY = 20


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the tables of all providers, or of one."""
    parser = argparse.ArgumentParser(prog="python -m vernier.models.catalog_build", description=__doc__)
    parser.add_argument("--only", choices=LISTED, help="make this provider's table alone")
    parser.add_argument("--directory", type=Path, default=Path(__file__).parent / "tables", help="where to write")
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(1)
    for provider in LISTED:
        if chosen.only in (None, provider):
            write_table(provider, chosen.directory / f"{provider}.csv")


def write_table(provider: Listed, file: Path) -> None:
    """Count every network of a provider and write its table."""
    names = names_of(provider)
    rows = []
    for place, name in enumerate(names, start=1):
        rows.append(count(describe(provider, name)))
        if place % _PROGRESS_EVERY == 0 or place == len(names):
            print(f"{provider}: {place} of {len(names)}", flush=True)
    with file.open("w", encoding="utf-8", newline="") as stream:
        stream.write(f"# {provider} {installed_version(provider)}\n")
        writer = csv.DictWriter(stream, field_names(), extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows({**asdict(row), "weights": int(row.weights)} for row in rows)


def names_of(provider: Listed) -> tuple[str, ...]:
    """A provider's networks, without the tags of weights, in alphabetical order."""
    return tuple(sorted({name for name in PROVIDERS[provider].names() if "." not in name}))


def describe(provider: Listed, name: str) -> Row:
    """A network that is not counted."""
    height, width = model_defaults(ModelConfig(name=name, provider=provider)).input_size
    family, channels = _family(provider, name), own_channels(provider, name)
    return Row(name, provider, family, height, width, channels, _published(provider, name))


def count(row: Row) -> Row:
    """A row with its figures, blank where they can't be had."""
    size = (row.height, row.width, row.channels)
    many = cost_or_none(row.provider, row.name, CLASSES, size)
    few = cost_or_none(row.provider, row.name, _FEWER_CLASSES, size)
    if many is None or few is None:
        print(f"{row.provider}: {row.name} can't be counted", flush=True)
        return row
    return replace(
        row,
        parameters=many.parameters,
        trainable=many.trainable,
        macs=many.macs,
        parameters_per_class=_per_class(many.parameters, few.parameters),
        macs_per_class=_per_class(many.macs, few.macs),
    )


def _per_class(many: int, few: int) -> int:
    slope, rest = divmod(many - few, CLASSES - _FEWER_CLASSES)
    if rest:
        raise ArithmeticError(f"{many} for {CLASSES} classes and {few} for {_FEWER_CLASSES}: not linear in the classes")
    return slope


def _family(provider: Listed, name: str) -> str:
    module: str = _builder(provider, name).__module__
    return module.rpartition(".")[2]


def _builder(provider: Listed, name: str) -> Any:
    if provider == "zoo":
        return ZOO[name]
    if provider == "timm":
        import timm

        return timm.model_entrypoint(name)
    import torchvision

    return torchvision.models.get_model_builder(name)


def own_channels(provider: str, name: str) -> int:
    """What a network of the zoo takes when it is told nothing; 3 elsewhere."""
    if provider != "zoo":
        return 3
    channels: int = inspect.signature(ZOO[name]).parameters["in_channels"].default
    return channels


def _published(provider: Listed, name: str) -> bool:
    if provider == "zoo":
        return False
    if provider == "timm":
        import timm

        return bool(timm.list_pretrained(f"{name}.*"))
    import torchvision

    return len(torchvision.models.get_model_weights(name)) > 0


if __name__ == "__main__":
    main()
