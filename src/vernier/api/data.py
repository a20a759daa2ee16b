"""Data sets: written in other forms, checked, shown."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from vernier.api.configs import ConfigLike, read_config
from vernier.config.loading import config_from_mapping, load_config
from vernier.config.root import Config
from vernier.data.check.run import CheckReport, run_checks
from vernier.data.check.scan import Progress
from vernier.data.check.similar import NEAR_BITS
from vernier.data.convert.annotations import open_annotated
from vernier.data.convert.conversion import Conversion
from vernier.data.convert.run import convert_source
from vernier.data.convert.settings import ConvertSettings, check_settings
from vernier.data.sources import open_source
from vernier.scenario.overriding import open_data
from vernier.training.devices import processors
from vernier.training.label_errors import check_labels as check_labels
from vernier.training.log import logger, logging_to, make_display
from vernier.training.preview import Preview
from vernier.training.preview import preview as write_preview
from vernier.training.run_directory import RunDirectory

if TYPE_CHECKING:
    pass


def convert(
    source: str | Path, out: str | Path, *overrides: str, settings: ConvertSettings | None = None, add: bool = False
) -> Conversion:
    """Write a data set as TFRecord files, tar shards or decoded pixels; `data=OUT` reads it.

    Args:
        source: Anything that `data.source` names.
        out: A directory that is not there yet.
        overrides: Such as `data.class_names=[cat,dog]`.
        settings: The format and all else.
        add: Add splits to a set that is there.

    Raises:
        VernierError: anything that the user can mend; nothing is left behind then.
    """
    wanted = settings or ConvertSettings()
    check_settings(wanted)
    data = config_from_mapping({"data": {"source": str(source)}}, overrides, checks=()).config.data
    with logging_to(None):
        annotated = wanted.annotations is not None
        opened = open_annotated(Path(source), wanted, data) if annotated else open_source(data)
        if opened.skipped:
            logger.info("left out: %s", ", ".join(f"{count} {reason}" for reason, count in opened.skipped.items()))
        threads = processors() if data.threads == "auto" else data.threads
        display = make_display()
        display.begin("converting", len(opened.images))
        try:
            return convert_source(
                opened,
                data,
                wanted,
                Path(out),
                add=add,
                threads=threads,
                progress=lambda done, _: display.advance(done),
            )
        finally:
            display.end()


def check(
    what: ConfigLike = None,
    *overrides: str,
    near: int | None = None,
    progress: Progress = lambda done, total: None,
) -> CheckReport:
    """Look at every image of a data set, and say what is wrong with it.

    Args:
        what: A config file or mapping, a run, or anything that `data=` takes, such as a directory.
        overrides: Such as `data.val=DIR`.
        near: Bits of 64 in which the hashes of near duplicates may differ; 8 when not given.
        progress: Told how many images are done.

    Raises:
        VernierError: there is nothing to check, or it can't be opened.
    """
    config = _config_to_check(what, overrides)
    size = config.model.input_size
    return run_checks(
        config.data,
        processors() if config.data.threads == "auto" else max(1, config.data.threads),
        input_size=None if size == "auto" else (size[0], size[1]),
        near=NEAR_BITS if near is None else near,
        open_source=partial(open_data, config),
        progress=progress,
    )


def _config_to_check(what: ConfigLike, overrides: Sequence[str]) -> Config:
    """A run's config reads the split from its `split.csv`."""
    if not isinstance(what, str | Path):
        return read_config(what, *overrides, checks=()).config
    path = Path(what)
    if path.suffix.casefold() in (".yaml", ".yml"):
        return load_config(path, overrides, checks=()).config
    run = RunDirectory(path)
    if not run.config_file.is_file() or not run.split_file.is_file():
        return config_from_mapping({"data": {"source": str(what)}}, overrides, checks=()).config
    config = load_config(run.config_file, overrides, checks=()).config
    split = config.data.split.model_copy(update={"file": str(run.split_file)})
    return config.model_copy(update={"data": config.data.model_copy(update={"split": split})})


def preview(
    config: ConfigLike = None,
    *overrides: str,
    output: str | Path = "preview.png",
    images: int = 4,
    epoch: int = 0,
) -> Preview:
    """Write a picture of what `augment.train` does to some training images; see `vernier.training.preview`."""
    return write_preview(read_config(config, *overrides).config, Path(output), images, epoch)
