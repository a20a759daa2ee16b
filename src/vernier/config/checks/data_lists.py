"""What has to hold for the files that list images. One function a rule."""

from collections.abc import Iterator

from vernier.config.checks.finding import Check, Finding
from vernier.config.root import Config


def lists_stand_for_the_source(config: Config) -> Iterator[Finding]:
    """Lists are what is trained on."""
    data = config.data
    if data.lists is None:
        return
    if not data.lists:
        yield Finding("data.lists", "must be one list file or more; got none")
    for number, name in enumerate(data.lists):
        if name.casefold().endswith((".csv", ".tsv", ".parquet", ".pq")):
            message = f"must be a text file with a path a line; got {name!r}; data.source takes files with columns"
            yield Finding(f"data.lists[{number}]", message)
    for name in ("source", "train"):
        if (other := getattr(data, name)) is not None:
            message = f"excludes data.{name} ({other!r}): the lists are what is trained on; leave one out"
            yield Finding("data.lists", message, (f"data.{name}",))


def ratios_fit_the_lists(config: Config) -> Iterator[Finding]:
    """A ratio for each list, and nothing else that draws images."""
    data = config.data
    ratios, lists = data.list_ratios, data.lists
    if ratios is None:
        return
    if lists is None:
        message = "goes with data.lists, which is not set; list the files there, or leave it out"
        yield Finding("data.list_ratios", message, ("data.lists",))
    elif len(ratios) != len(lists):
        message = f"must be one number a list: {len(lists)} for data.lists; got {len(ratios)}"
        yield Finding("data.list_ratios", message, ("data.lists",))
    if data.sampler != "shuffle":
        message = f"excludes data.sampler={data.sampler}: images are drawn by list or by class; leave one out"
        yield Finding("data.list_ratios", message, ("data.sampler",))
    if data.imbalance != "off":
        message = f"excludes data.imbalance={data.imbalance}, which may draw images by class; leave one out"
        yield Finding("data.list_ratios", message, ("data.imbalance",))


def columns_differ(config: Config) -> Iterator[Finding]:
    """A column says one thing."""
    columns = config.data.columns
    labels = (columns.label,) if columns.labels is None else columns.labels
    names = [columns.path, columns.split, columns.weight, columns.group, *labels]
    given = [name for name in names if name is not None]
    if twice := sorted({name for name in given if given.count(name) > 1}):
        message = f"names {', '.join(map(repr, twice))} twice; a column is path, label, split, weight or group"
        yield Finding("data.columns", message)
    if columns.labels == ():
        yield Finding("data.columns.labels", "must be one column or more; got none; leave it out for all others")


def delimiter_is_one_character(config: Config) -> Iterator[Finding]:
    """A character that is not part of how CSV is written."""
    delimiter = config.data.columns.delimiter
    if delimiter is None or delimiter == "tab":
        return
    if len(delimiter) != 1 or delimiter in '"\r\n ':
        message = f"must be one character such as ';', or tab; got {delimiter!r}"
        yield Finding("data.columns.delimiter", message)


CHECKS: tuple[Check, ...] = (
    lists_stand_for_the_source,
    ratios_fit_the_lists,
    columns_differ,
    delimiter_is_one_character,
)
