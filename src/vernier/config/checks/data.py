"""What has to hold for `data`. One function a rule."""

from collections.abc import Iterator

from vernier.config.checks.finding import Check, Finding
from vernier.config.root import Config


def data_is_given(config: Config) -> Iterator[Finding]:
    """Images come from somewhere."""
    data = config.data
    if data.source is None and data.train is None and data.lists is None and config.scenario is None:
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


def channels_have_names(config: Config) -> Iterator[Finding]:
    """Each channel has one name, and no two the same."""
    names, channels = config.data.channel_names, config.data.channels
    if names is None:
        return
    if twice := sorted({name for name in names if names.count(name) > 1}):
        yield Finding("data.channel_names", f"holds {', '.join(map(repr, twice))} twice; name each channel once")
    if channels == "auto":
        yield Finding("data.channel_names", f"names {len(names)} channels; set data.channels={len(names)} too")
    elif channels != len(names):
        message = f"must be {channels} names for data.channels={channels}; got {len(names)}"
        yield Finding("data.channel_names", message, ("data.channels",))


def range_is_one(config: Config) -> Iterator[Finding]:
    """Black and white differ."""
    values = config.data.value_range
    if values is not None and values[0] == values[1]:
        yield Finding("data.value_range", f"must be two different values; got {values[0]:g} twice")


def patience_is_a_time(config: Config) -> Iterator[Finding]:
    """A server's silence lasts seconds."""
    timeout = config.data.stream.timeout
    if timeout.unit != "s" or timeout.value == 0:
        yield Finding("data.stream.timeout", f"must be a time above 0, such as 30s or 2m; got {timeout}")


CHECKS: tuple[Check, ...] = (
    data_is_given,
    data_is_given_once,
    binary_has_two_classes,
    class_names_differ,
    channels_have_names,
    range_is_one,
    patience_is_a_time,
)
