"""What has to hold for `data`. One function a rule."""

from collections.abc import Iterator

from vernier.config.checks.finding import Check, Finding
from vernier.config.root import Config


def data_is_given(config: Config) -> Iterator[Finding]:
    """Images come from somewhere."""
    if config.data.source is None and config.data.train is None and config.scenario is None:
        yield Finding(
            "data.source",
            "is missing; write data=DIR for your class folders, data=digits for the bundled digits, or run "
            "`vernier quickstart`",
            ("data.train", "scenario"),
        )


def data_is_given_once(config: Config) -> Iterator[Finding]:
    """A source holds all images itself."""
    source = config.data.source
    for name in ("train", "val", "test"):
        if source is not None and getattr(config.data, name) is not None:
            message = f"excludes data.source ({source!r}); give data.train, data.val and data.test, or data.source"
            yield Finding(f"data.{name}", message, ("data.source",))


def binary_has_two_classes(config: Config) -> Iterator[Finding]:
    """A binary task tells two classes apart; every other task at least as many."""
    names, task = config.data.class_names, config.data.task
    if names is None:
        return
    if task == "binary" and len(names) != 2:
        message = f"must be two names for data.task=binary; got {len(names)}; use data.task=multiclass for more"
        yield Finding("data.class_names", message, ("data.task",))
    elif task in ("multiclass", "auto") and len(names) < 2:
        yield Finding("data.class_names", f"must be at least two names; got {len(names)}", ("data.task",))


def class_names_differ(config: Config) -> Iterator[Finding]:
    """Each class is one output."""
    names = config.data.class_names or ()
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        yield Finding("data.class_names", f"holds {', '.join(map(repr, twice))} twice; name each class once")


CHECKS: tuple[Check, ...] = (
    data_is_given,
    data_is_given_once,
    binary_has_two_classes,
    class_names_differ,
)
