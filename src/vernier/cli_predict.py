"""`vernier predict`: classify images."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, final

from vernier.cli_predict_options import STDIN, PredictOptions, predict_options

if TYPE_CHECKING:
    from vernier.deploy.image_model import ImageModel
    from vernier.deploy.onnx_info import OnnxInfo
    from vernier.deploy.path_parts import Part
    from vernier.deploy.predict import PredictSettings
    from vernier.deploy.prediction_columns import Columns
    from vernier.deploy.prediction_sink import Sink, Told
    from vernier.deploy.predictions import Answer, Failure


@final
@dataclass
class _Tally:
    """What is remembered of the answers: how many, and those that failed."""

    count: int = 0
    failures: "list[Failure]" = field(default_factory=list)


def predict(words: list[str]) -> int:
    """Run the verb; returns the exit status: 1 when files can't be read.

    A watch ends by Ctrl-C as it should, with that status.
    """
    options = predict_options(words)
    tally, start = _Tally(), time.monotonic()
    try:
        _deliver(options, tally)
    except BaseException as error:
        for note in getattr(error, "__notes__", ()):
            print(note, file=sys.stderr)
        if options.interval is None or not isinstance(error, KeyboardInterrupt):
            raise
    _say_end(options, tally, time.monotonic() - start)
    return 1 if tally.failures else 0


def _deliver(options: PredictOptions, tally: _Tally) -> None:
    from vernier.deploy.predict import PredictSettings, answer_parts, is_onnx, open_model
    from vernier.deploy.prediction_sink import deliver

    parts = _parts(options)
    if not is_onnx(options.model):
        _keep_memory()
    model = open_model(options.model, device=options.device, trust=options.trust, info=_foreign(options))
    settings = PredictSettings(options.batch_size, options.threads, options.top_k, options.reject, options.levels)
    with _progress(options) as advance:
        told = partial(_tell, tally, options.is_live, advance)
        deliver(answer_parts(model, parts, settings), _openers(model, settings, options, tally), told)


def _keep_memory() -> None:
    """Each batch asks torch for the same memory again: kept, an image takes half the time."""
    from vernier.training.allocator import keep_freed_memory

    keep_freed_memory()


def _tell(tally: _Tally, is_live: bool, advance: "Told", block: "Sequence[Answer]") -> None:
    from vernier.deploy.prediction_text import shown
    from vernier.deploy.predictions import Failure

    failures = [answer for answer in block if isinstance(answer, Failure)]
    tally.count += len(block)
    if is_live:
        # What was half-written under watch is read again.
        again = {answer.path for answer in block}
        tally.failures[:] = (failure for failure in tally.failures if failure.path not in again)
    tally.failures += failures
    advance(block)
    for failure in failures if is_live else ():
        print(shown(f"{failure.path}: {failure.reason}"), file=sys.stderr)


def _parts(options: PredictOptions) -> "Iterator[Part]":
    from vernier.deploy.find_images import image_paths
    from vernier.deploy.path_parts import parts_of, parts_of_lines
    from vernier.deploy.watching import arriving

    if options.interval is not None:
        return arriving(options.inputs, options.interval, options.batch_size)
    if STDIN in options.inputs:
        return parts_of_lines(sys.stdin.fileno(), options.batch_size)
    return parts_of(image_paths(options.inputs), options.batch_size)


def _foreign(options: PredictOptions) -> "OnnxInfo | None":
    """What an ONNX file from elsewhere is, where the command says so."""
    if not options.overrides:
        return None
    from vernier.deploy.foreign import foreign_info

    return foreign_info(options.model, options.overrides)


def _openers(
    model: "ImageModel", settings: "PredictSettings", options: PredictOptions, tally: _Tally
) -> "list[Callable[[], Sink]]":
    """What makes the sinks, the first ones first."""
    from vernier.deploy.prediction_columns import Columns

    columns = Columns.of(settings.answering(model), probabilities=options.probabilities)
    openers = _file_openers(options, columns)
    if options.annotate is not None:
        openers.append(_pictures_opener(model, settings, options))
    if options.explain is not None:
        from vernier.deploy.overlay_sink import Overlays

        chosen = {"target": options.explain_class, "layer": options.explain_layer}
        openers.append(partial(Overlays, options.model, options.explain, **chosen, trust=options.trust))
    return [*openers, *_screen_openers(options, columns, tally)]


def _file_openers(options: PredictOptions, columns: "Columns") -> "list[Callable[[], Sink]]":
    from vernier.deploy.prediction_files import AppendedFile, CsvFormat, JsonLinesFormat, WrittenFile
    from vernier.deploy.prediction_parquet import ParquetFile

    kind = WrittenFile if options.interval is None else AppendedFile
    openers: list[Callable[[], Sink]] = []
    if options.csv is not None:
        openers.append(partial(kind, options.csv, CsvFormat(columns)))
    if options.jsonl is not None:
        openers.append(partial(kind, options.jsonl, JsonLinesFormat(columns)))
    if options.parquet is not None:
        openers.append(partial(ParquetFile, options.parquet, columns))
    return openers


def _pictures_opener(model: "ImageModel", settings: "PredictSettings", options: PredictOptions) -> "Callable[[], Sink]":
    from vernier.deploy.annotate import AnnotatedPictures, base_of, check_apart

    assert options.annotate is not None
    check_apart(options.annotate, options.inputs)
    return partial(
        AnnotatedPictures,
        options.annotate,
        base_of(options.inputs),
        model.preprocessing,
        max_pixels=settings.max_pixels,
        threads=model.threads,
    )


def _screen_openers(options: PredictOptions, columns: "Columns", tally: _Tally) -> "list[Callable[[], Sink]]":
    from vernier.deploy.prediction_text import ROWS_ALIGNED, JsonScreen, TextScreen

    if options.as_json:
        return [partial(JsonScreen, sys.stdout, columns, tally.failures)]
    if options.files:
        return []
    return [partial(TextScreen, sys.stdout, columns, rows_held=1 if options.is_live else ROWS_ALIGNED)]


@contextmanager
def _progress(options: PredictOptions) -> "Iterator[Told]":
    """What is told of answers: a line of a terminal, where nothing else is printed there meanwhile."""
    table_there = sys.stdout.isatty() and not options.files
    if not sys.stderr.isatty() or table_there or options.interval is not None:
        yield lambda _: None
        return
    from vernier.deploy.progress_line import ProgressLine, counted_aside

    line = ProgressLine(sys.stderr, _unknown if options.is_live else counted_aside(partial(_count, options)))
    try:
        yield line.advance
    finally:
        line.end()


def _unknown() -> None:
    """Nobody knows how many will come."""


def _count(options: PredictOptions) -> int:
    from vernier.deploy.find_images import image_paths

    return sum(1 for _ in image_paths(options.inputs))


def _say_end(options: PredictOptions, tally: _Tally, seconds: float) -> None:
    """The files that can't be read, and what was written; nothing where JSON is printed."""
    from vernier.deploy.prediction_text import failure_lines, shown
    from vernier.evaluation.words import duration, several

    if options.as_json:
        return
    if options.files:
        rate = f"{tally.count / seconds:,.0f} images/s"
        files = ", ".join(map(str, options.files))
        print(f"{several(tally.count, 'image')} in {duration(seconds)}, {rate}: {files}")
    for line in [] if options.is_live else failure_lines(tally.failures):
        print(shown(line))
