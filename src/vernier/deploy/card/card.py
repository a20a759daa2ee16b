"""`vernier card`: README.md of a bundle."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import jinja2

from vernier.atomic import write_text_atomically
from vernier.deploy.card import wording
from vernier.deploy.card.facts import Facts, gather_facts
from vernier.deploy.card.snippets import onnxruntime_snippet, python_snippet
from vernier.deploy.places import default_file
from vernier.errors import RunError
from vernier.evaluation.words import several, whole

_MARK = "<!-- Written by `vernier card`, which replaces it. -->"
_FILE = "README.md"
_FEW = 1000
"""Images below which a card says that they are few."""
_CHANNELS = {1: "one channel (grey)", 3: "three channels (RGB)"}


def write_card(path: Path, output: Path | None = None) -> Path:
    """Write the page that describes a bundle.

    Args:
        path: A bundle, or a run directory for its best one.
        output: The file; README.md in the bundle when not given.

    Raises:
        ModelError: no bundle there, or a damaged one.
        RunError: the file is there and no card, or can't be written; it is as it was then.
    """
    facts = gather_facts(path)
    file = facts.directory / _FILE if output is None else output
    if file.exists() and not file.read_bytes().startswith(_MARK.encode()):
        raise RunError(f"{file}: is there, and no card of Vernier's; name another file with --output")
    write_text_atomically(file, card_text(facts))
    return file


def card_text(facts: Facts) -> str:
    """The page, in Markdown."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=False,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    text = environment.get_template("card.md.j2").render(_values(facts))
    return text.encode(errors="surrogateescape").decode(errors="replace")


def _values(facts: Facts) -> dict[str, Any]:
    info, channels = facts.info, facts.preprocessing.channels
    return {
        "mark": _MARK,
        "title": wording.escape(_title(facts)),
        "task": wording.task_words(facts),
        "task_name": info.task,
        "threshold": f"{info.threshold:g}",
        "architecture": info.architecture,
        "provider": {"python": "code of its author's own", "zoo": "Vernier's zoo"}.get(
            info.architecture.provider, info.architecture.provider
        ),
        "channels": _CHANNELS.get(channels, f"{channels} channels"),
        "classes": ", ".join(wording.escape(name) for name in info.class_names),
        "data": _data(facts),
        "counts": "\n".join(wording.counts_table(facts)),
        "measures": "\n".join(wording.measures_table(facts.measured)) if facts.measured else "",
        "notes": "\n".join(wording.measures_notes(facts)),
        "calibration": "\n".join(wording.calibration_lines(facts)),
        "steps": wording.preprocessing_steps(facts.preprocessing),
        "rejecting": " unless it is rejected for lack of confidence" if info.reject_threshold is not None else "",
        "limits": _limits(facts),
        "python": python_snippet(info.architecture.provider == "python", channels),
        "onnxruntime": onnxruntime_snippet(channels),
        "footprints": _footprints(facts.place),
        "origin": "\n".join(_origin(facts)),
    }


def _title(facts: Facts) -> str:
    return facts.result.name if facts.result is not None else facts.place.name


def _data(facts: Facts) -> dict[str, Any] | None:
    """The data's name and hashes, from the bundle or else the run."""
    kept, result = facts.info.provenance, facts.result
    source = kept.get("data") or (result.data.source if result else None)
    if source is None:
        return None
    content = kept.get("data_sha256") or (result.data.content_hash if result else None)
    return {"source": source, "hash": content, "split": kept.get("split_sha256"), "notes": _left_out(facts)}


def _left_out(facts: Facts) -> list[str]:
    if facts.result is None:
        return []
    data = facts.result.data
    skipped = [f"{whole(number)} {wording.escape(why)}" for why, number in data.skipped.items()]
    unreadable = [f"{several(data.unreadable, 'image')} that could not be read"] if data.unreadable else []
    left_out = [*skipped, *unreadable]
    return [f"Left out: {', '.join(left_out)}."] if left_out else []


def _limits(facts: Facts) -> list[str]:
    limits = []
    for part in facts.measured:
        n = int(part.values["n"])
        if n < _FEW:
            images = several(n, f"{wording.PARTS[part.part]} image")
            limits.append(f"{images} are few: the interval above says how far figures may be off.")
    absent = _absent(facts)
    if absent:
        limits.append(f"Measured on no image of {', '.join(map(wording.escape, absent))}.")
    return limits


def _absent(facts: Facts) -> list[str]:
    """Classes without an image in the set that is told of last."""
    if facts.result is None or not facts.measured:
        return []
    counts = facts.result.counts.get(facts.measured[-1].part, {})
    return [name for name in facts.info.class_names if not counts.get(name)]


def _footprints(directory: Path) -> list[str]:
    """What the exported files that are there cost a device."""
    files = [file for ending in (".onnx", "_int8.onnx") if (file := default_file(directory, ending)).is_file()]
    if not files or find_spec("onnx") is None:
        return []
    return [
        "",
        "By Vernier's count of the networks that were exported (`vernier footprint` tells more):",
        *map(_cost, files),
    ]


def _cost(file: Path) -> str:
    from vernier.deploy.export.files import read_onnx
    from vernier.deploy.footprint.measure import measure_footprint

    cost = measure_footprint(read_onnx(file))
    memory = f"{cost.flash_bytes / 1024:.1f} KiB of flash, {cost.ram_bytes / 1024:.1f} KiB of RAM for activations"
    return f"- `{file.name}`: {memory}, {cost.macs / 1e6:.2f} million multiply-accumulates an image."


def _origin(facts: Facts) -> list[str]:
    info, result = facts.info, facts.result
    kept = info.provenance
    seed = kept.get("seed", result.seed if result is not None else None)
    git = kept.get("git") or {}
    changed = ", with changes that were not committed" if git.get("changed") else ""
    facts_told = (
        ("weights (SHA-256)", facts.sha256),
        ("seed", seed),
        ("epoch", info.metrics.get("epoch")),
        ("training", _training(facts)),
        ("config (SHA-256)", kept.get("config_sha256")),
        ("git commit", f"{git['commit']}{changed}" if git.get("commit") else None),
        ("versions", ", ".join(f"{name} {version}" for name, version in info.versions.items())),
    )
    rows = [[name, wording.escape(str(value))] for name, value in facts_told if value not in (None, "")]
    return wording.table([["", ""], *rows])


def _training(facts: Facts) -> str | None:
    if facts.result is None:
        return None
    result = facts.result
    trained = f"{whole(result.model.trainable)} of {whole(result.model.parameters)} parameters trained"
    return f"{several(result.epochs, 'epoch')}, {several(result.steps, 'step')}; {trained}"
