"""The `vernier` command. Nothing heavy is imported before a verb needs it."""

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from vernier import __version__
from vernier.cli_help import HELP, VERB_HELP
from vernier.cli_words import (
    only_word,
    take_choice,
    take_count,
    take_image_size,
    take_path,
    take_provider,
    take_seconds,
    take_switch,
    take_value,
)
from vernier.errors import VernierError

_SOON = 10
"""So many networks are built without saying that it takes time."""
_WIDEST_PLOT = 120
_CONFIG_BENCHMARKS = ("train", "pipeline")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; returns the exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or words[0] in ("-h", "--help", "help"):
        print(HELP)
        return 0
    if words[0] in ("-V", "--version"):
        print(f"vernier {__version__}")
        return 0
    verb, rest = words[0], words[1:]
    if verb not in _VERBS:
        return _unknown_verb(verb)
    if any(word in ("-h", "--help") for word in rest):
        return _run_help(verb, rest)
    return _run(verb, rest)


def _run_help(verb: str, rest: list[str]) -> int:
    """Help on a verb; `train` tells about the keys too, all of them or those of a section."""
    sections = [word for word in rest if not word.startswith("-") and "=" not in word]
    if verb != "train":
        print(VERB_HELP[verb])
        return 0
    from shutil import get_terminal_size

    from vernier.config.help_text import details, overview

    width = min(max(get_terminal_size((120, 24)).columns, 80), 140)
    try:
        print(details(sections[0], width) if sections else f"{VERB_HELP[verb]}\n\n{overview(width)}")
    except VernierError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _run(verb: str, rest: list[str]) -> int:
    try:
        return _VERBS[verb](rest)
    except VernierError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # Whoever read our output has gone, as `head` does.
        sys.stderr.close()
        return 0


def _unknown_verb(verb: str) -> int:
    from difflib import get_close_matches

    close = get_close_matches(verb, _VERBS, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    print(f"error: {verb!r} is not a verb of vernier{hint} Verbs: {', '.join(_VERBS)}", file=sys.stderr)
    return 2


def _train(words: list[str]) -> int:
    from vernier import api
    from vernier.config.overrides import split_config_argument
    from vernier.training.seeds import summary_table

    as_json = take_switch(words, "--json")
    file, overrides = split_config_argument(words)
    loaded = api.read_config(file, *overrides)
    if loaded.config.train.seeds is None:
        return _end(api.train(loaded), as_json)
    several = api.train_seeds(loaded)
    if as_json:
        _print_json(several.result)
    elif not several.exit_status:
        print(summary_table(several.result))
        print(f"summary: {several.file}")
    return several.exit_status


def _quickstart(words: list[str]) -> int:
    from vernier import api

    as_json = take_switch(words, "--json")
    end = api.quickstart(*words)
    if not as_json:
        _congratulate(end.result, end.run.path)
    return _end(end, as_json)


def _congratulate(result: dict[str, Any], run: Path) -> None:
    test = result["test"]
    if test is not None:
        print(f"test accuracy {test['accuracy']:.4f} on {test['n']} images, {result['seconds']:.1f} s of training")
    print(f"report: {run / 'report.html'}")
    print("next:")
    print(f"  vernier evaluate {run}")
    print("  vernier train data=DIRECTORY_OF_CLASS_FOLDERS")
    print(f"  vernier predict {run} IMAGE")


def _resume(words: list[str]) -> int:
    from vernier import api

    as_json = take_switch(words, "--json")
    run = take_path(words, "resume", "RUN")
    return _end(api.resume(run, *words), as_json)


def _end(end: Any, as_json: bool) -> int:
    if as_json:
        _print_json({**end.result, "run": str(end.run.path)})
    status: int = end.exit_status
    return status


def _evaluate(words: list[str]) -> int:
    from vernier import api
    from vernier.evaluation.tables import measures_table, per_class_table

    as_json = take_switch(words, "--json")
    trust = take_switch(words, "--trust")
    split, output = take_value(words, "--split"), take_value(words, "--output")
    bundle = take_path(words, "evaluate", "BUNDLE, RUN or ONNX file")
    report = api.evaluate(bundle, *words, split=split, output=Path(output) if output else None, trust=trust)
    if as_json:
        _print_json(report.to_json())
    else:
        print(report.which, measures_table(report.measures), "", per_class_table(report.measures), sep="\n")
    return 0


def _compare(words: list[str]) -> int:
    from vernier import api

    as_json, trust, split = take_switch(words, "--json"), take_switch(words, "--trust"), take_value(words, "--split")
    first, second = (take_path(words, "compare", f"{which} run, bundle or CSV file") for which in ("first", "second"))
    _print_result(api.compare(first, second, *words, split=split, trust=trust), as_json)
    return 0


def _predict(words: list[str]) -> int:
    from vernier.cli_predict import predict

    return predict(words)


def _benchmark(words: list[str]) -> int:
    as_json, end_to_end = take_switch(words, "--json"), take_switch(words, "--end-to-end")
    if words and words[0] not in _CONFIG_BENCHMARKS and (Path(words[0]).exists() or words[0].endswith(".onnx")):
        from vernier.cli_benchmark_model import benchmark_model

        return benchmark_model(words, as_json=as_json)
    seconds = take_seconds(words)
    what = take_choice(words, "benchmark", "what to measure, a run, a bundle, ONNX files", _CONFIG_BENCHMARKS)
    from vernier import api
    from vernier.config.overrides import split_config_argument

    file, overrides = split_config_argument(words)
    if what == "train":
        timing = api.benchmark_train(file, *overrides, seconds=seconds, end_to_end=end_to_end)
    else:
        timing = api.benchmark_pipeline(file, *overrides, seconds=seconds)
    _print_result(timing, as_json)
    return 0


def _find(words: list[str]) -> int:
    as_json = take_switch(words, "--json")
    what = take_choice(words, "find", "what to find", ("batch_size", "lr"))
    from vernier import api
    from vernier.config.overrides import split_config_argument

    file, overrides = split_config_argument(words)
    find = api.find_batch_size if what == "batch_size" else api.find_learning_rate
    _print_result(find(file, *overrides), as_json)
    return 0


def _plot_schedule(words: list[str]) -> int:
    from shutil import get_terminal_size

    as_json = take_switch(words, "--json")
    output, csv = take_value(words, "--output") or "schedule.png", take_value(words, "--csv")
    steps_per_epoch = take_count(words, "plot-schedule", "--steps-per-epoch", 0) or None
    images = take_count(words, "plot-schedule", "--images", 0) or None
    from vernier import api
    from vernier.config.overrides import split_config_argument

    file, overrides = split_config_argument(words)
    curve = api.plot_schedule(file, *overrides, images=images, steps_per_epoch=steps_per_epoch)
    curve.write_picture(Path(output))
    if csv:
        curve.write_csv(Path(csv))
    if as_json:
        _print_json({**curve.to_json(), "picture": output, "csv": csv})
    else:
        print(curve.to_text(min(get_terminal_size().columns, _WIDEST_PLOT)))
        print(f"picture: {output}")
    return 0


def _print_result(result: Any, as_json: bool) -> None:
    if as_json:
        _print_json(result.to_json())
    else:
        print(result.to_text())


def _convert(words: list[str]) -> int:
    from vernier.cli_convert import convert

    return convert(words)


def _preview(words: list[str]) -> int:
    from vernier.cli_preview import preview

    return preview(words)


def _check(words: list[str]) -> int:
    from vernier.cli_check import check

    return check(words)


def _export(words: list[str]) -> int:
    from vernier.cli_export import export

    return export(words)


def _quantize(words: list[str]) -> int:
    from vernier.cli_quantize import quantize

    return quantize(words)


def _footprint(words: list[str]) -> int:
    from vernier.cli_footprint import footprint

    return footprint(words)


def _chain(words: list[str]) -> int:
    from vernier.cli_chain import chain

    return chain(words)


def _calibrate(words: list[str]) -> int:
    from vernier.cli_calibrate import calibrate

    return calibrate(words)


def _card(words: list[str]) -> int:
    from vernier.cli_card import card

    return card(words)


def _models(words: list[str]) -> int:
    if words[:1] == ["show"]:
        return _show_model(words[1:])
    from vernier.models import catalog, catalog_text

    as_json, classes = take_switch(words, "--json"), take_count(words, "models", "--classes", catalog.CLASSES)
    size, provider = take_image_size(words), take_provider(words, catalog.LISTED)
    pattern = only_word(words, "models", "pattern") if words else "*"
    rows = catalog.find_rows(pattern, provider)
    if not rows:
        close = ", ".join(catalog.nearest_names(pattern))
        print(f"no network matches {pattern!r}{f'; the nearest: {close}' if close else ''}", file=sys.stderr)
    slow = catalog.needs_building(rows, size)
    if slow > _SOON:
        print(f"building {slow} networks to count them; a narrower pattern is quicker", file=sys.stderr)
    entries = catalog.list_entries(rows, classes, size)
    if as_json:
        _print_json([entry.to_json() for entry in entries])
    elif rows:
        print(catalog_text.text_table(entries))
    return 0 if rows else 1


def _show_model(words: list[str]) -> int:
    from vernier.models.catalog import CLASSES

    as_json, classes = take_switch(words, "--json"), take_count(words, "models", "--classes", CLASSES)
    size, frozen = take_image_size(words), take_value(words, "--frozen")
    name = take_path(words, "models", "NAME")
    overrides = [f"model.name={name}", *words, *([] if frozen is None else [f"model.frozen={frozen}"])]
    from vernier.config.loading import load_config
    from vernier.models.layer_table import layer_table

    model = load_config(None, overrides, checks=()).config.model
    _print_result(layer_table(model, classes, size), as_json)
    return 0


def _config(words: list[str]) -> int:
    from vernier.config.overrides import split_config_argument

    if take_switch(words, "--schema"):
        from vernier.config.json_schema import json_schema

        _print_json(json_schema())
        return 0
    from vernier.config.loading import load_config
    from vernier.config.writing import config_text

    as_json = take_switch(words, "--json")
    file, overrides = split_config_argument(words)
    config = load_config(file, overrides, checks=()).config
    if as_json:
        _print_json(config.model_dump(mode="json"))
    else:
        print(config_text(config, {}), end="")
    return 0


def _print_json(value: Any) -> None:
    print(json.dumps(value, indent=1, ensure_ascii=False))


_VERBS: dict[str, Callable[[list[str]], int]] = {
    "quickstart": _quickstart,
    "train": _train,
    "resume": _resume,
    "evaluate": _evaluate,
    "predict": _predict,
    "compare": _compare,
    "benchmark": _benchmark,
    "find": _find,
    "plot-schedule": _plot_schedule,
    "convert": _convert,
    "preview": _preview,
    "check": _check,
    "export": _export,
    "quantize": _quantize,
    "footprint": _footprint,
    "chain": _chain,
    "calibrate": _calibrate,
    "card": _card,
    "models": _models,
    "config": _config,
}
