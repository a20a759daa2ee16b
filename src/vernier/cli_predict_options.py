"""The words of `vernier predict`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

from vernier.cli_words import UsageError, take_count, take_path, take_switch, take_value

STDIN: Final = Path("-")
_VERB: Final = "predict"
_SETTINGS: Final = ("data.", "augment.")
_INTERVAL: Final = 1.0


@final
@dataclass(frozen=True)
class PredictOptions:
    """What they say.

    Attributes:
        model: Bundle, run or ONNX file.
        inputs: What is to be classified; `-` is standard input.
        overrides: What an ONNX file from elsewhere is, `key=value`.
        batch_size: Images at once.
        threads: That read images; None for as many as suit the model.
        top_k: How many of the most probable classes are listed.
        reject: Confidence below which an image is `unknown`; None for the model's own.
        levels: Confidence below which an answer is of level low, and medium.
        probabilities: Whether those of all classes are written.
        csv: File, as the ones that follow.
        jsonl: File.
        parquet: File.
        annotate: Directory for pictures.
        explain: Directory for overlays.
        explain_class: The class that they explain; None for the predicted one.
        explain_layer: The layer that they look at; None for the last one with a map.
        as_json: Whether one JSON object is printed.
        interval: Seconds between two looks at directories that are watched; None when they are not.
        trust: Whether the user's own code may be imported.
        device: Where a bundle computes.
    """

    model: Path
    inputs: tuple[Path, ...]
    overrides: tuple[str, ...]
    batch_size: int
    threads: int | None
    top_k: int
    reject: float | None
    levels: tuple[float, float] | None
    probabilities: bool
    csv: Path | None
    jsonl: Path | None
    parquet: Path | None
    annotate: Path | None
    explain: Path | None
    explain_class: str | None
    explain_layer: str | None
    as_json: bool
    interval: float | None
    trust: bool
    device: str

    @property
    def files(self) -> list[Path]:
        """What is written to."""
        return [path for path in (self.csv, self.jsonl, self.parquet) if path is not None]

    @property
    def is_live(self) -> bool:
        """Whether images come by and by."""
        return self.interval is not None or STDIN in self.inputs


def predict_options(words: list[str]) -> PredictOptions:
    """Read the words, which are taken out.

    Raises:
        UsageError: They are off.
    """
    options = PredictOptions(
        batch_size=take_count(words, _VERB, "--batch-size", 32),
        threads=_take_threads(words),
        top_k=take_count(words, _VERB, "--top-k", 1),
        reject=_take_share(words, "--reject"),
        levels=_take_levels(words),
        probabilities=take_switch(words, "--probabilities"),
        csv=_take_file(words, "--csv"),
        jsonl=_take_file(words, "--jsonl"),
        parquet=_take_file(words, "--parquet"),
        annotate=_take_file(words, "--annotate"),
        explain=_take_file(words, "--explain"),
        explain_class=take_value(words, "--explain-class"),
        explain_layer=take_value(words, "--explain-layer"),
        as_json=take_switch(words, "--json"),
        interval=_take_interval(words),
        trust=take_switch(words, "--trust"),
        device=take_value(words, "--device") or "cpu",
        # Only when the options are out, what is left has its places.
        model=Path(take_path(words, _VERB, "BUNDLE, RUN or MODEL.onnx")),
        overrides=tuple(word for word in words if _is_setting(word)),
        inputs=tuple(Path(word) for word in words if not _is_setting(word)),
    )
    _check(options)
    return options


def _check(options: PredictOptions) -> None:
    unknown = [str(item) for item in options.inputs if str(item).startswith("-") and item != STDIN]
    is_onnx = options.model.suffix.casefold() == ".onnx"
    problems = {
        f"there is no option {', '.join(unknown)}": bool(unknown),
        "name images or directories behind the model, or - for a list on standard input": not options.inputs,
        "- goes alone: a list on standard input, or files and directories": STDIN in options.inputs
        and len(options.inputs) > 1,
        "--explain-class and --explain-layer go with --explain": options.explain is None
        and (options.explain_class or options.explain_layer) is not None,
        "--explain needs a bundle or a run: an ONNX file tells no gradients": is_onnx and options.explain is not None,
        f"{', '.join(options.overrides)}: a bundle says that itself; leave it out": bool(options.overrides)
        and not is_onnx,
        **_problems_of_watching(options),
    }
    for problem, is_there in problems.items():
        if is_there:
            raise UsageError(_VERB, problem)


def _problems_of_watching(options: PredictOptions) -> dict[str, bool]:
    if options.interval is None:
        return {}
    return {
        "--watch takes directories": not all(item.is_dir() for item in options.inputs),
        "--parquet, --json and --explain are written at the end, and --watch has none; use --csv or --jsonl": bool(
            options.parquet or options.as_json or options.explain
        ),
    }


def _is_setting(word: str) -> bool:
    return "=" in word and word.removeprefix("--").startswith(_SETTINGS)


def _take_threads(words: list[str]) -> int | None:
    text = take_value(words, "--threads")
    if text is not None and not text.isdecimal():
        raise UsageError(_VERB, f"--threads takes a whole number, not {text!r}")
    return None if text is None else int(text)


def _take_levels(words: list[str]) -> tuple[float, float] | None:
    if "--levels" not in words:
        return None
    place = words.index("--levels")
    _, *texts = words[place : place + 3]
    del words[place : place + 3]
    shares = [_share("--levels", text) for text in texts]
    if len(shares) < 2 or shares[0] > shares[1]:
        raise UsageError(_VERB, f"--levels takes two confidences, the lower one first, not {' '.join(texts)!r}")
    return shares[0], shares[1]


def _take_interval(words: list[str]) -> float | None:
    text = take_value(words, "--interval")
    if not take_switch(words, "--watch"):
        if text is not None:
            raise UsageError(_VERB, "--interval goes with --watch")
        return None
    seconds = _INTERVAL if text is None else _as_number(text)
    if seconds is None or not 0 < seconds < float("inf"):
        raise UsageError(_VERB, f"--interval takes a number of seconds above 0, not {text!r}")
    return seconds


def _take_file(words: list[str], name: str) -> Path | None:
    text = take_value(words, name)
    return None if text is None else Path(text)


def _take_share(words: list[str], name: str) -> float | None:
    text = take_value(words, name)
    return None if text is None else _share(name, text)


def _share(name: str, text: str) -> float:
    share = _as_number(text)
    if share is None or not 0 <= share <= 1:
        raise UsageError(_VERB, f"{name} takes a confidence from 0 to 1, not {text!r}")
    return share


def _as_number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
