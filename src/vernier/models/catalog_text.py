"""The list of networks as plain text and as Markdown."""

from collections.abc import Iterable, Sequence

from vernier.models.catalog import CLASSES, Entry, find_rows, list_entries

NAMED = (
    "alexnet",
    *(f"efficientnet_b{size}" for size in range(8)),
    *(f"resnet{depth}" for depth in (18, 34, 50, 101, 152)),
    "mobilenetv2_100",
    "mobilenetv3_large_100",
    "mobilenetv3_small_100",
    "squeezenet1_1",
    "vgg16",
)
"""What the README lists besides the zoo, each from the first provider that has it."""

_HEAD = ("name", "provider", "family", "parameters", "trainable", "MACs", "image", "weights")
_MARKDOWN_HEAD = ("name", "provider", "parameters", "MACs", "image")
_UNITS = ((10**9, "G"), (10**6, "M"), (10**3, "k"))


def text_table(entries: Iterable[Entry]) -> str:
    """Aligned columns under a head."""
    rows = [_HEAD, *(_cells(entry) for entry in entries)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(_aligned(row, widths)).rstrip() for row in rows)


def markdown_table() -> str:
    """The zoo and the networks of `NAMED`, with 1000 classes."""
    first = {row.name: row for row in reversed(find_rows())}
    rows = [*find_rows(provider="zoo"), *(first[name] for name in NAMED)]
    head = f"| {' | '.join(_MARKDOWN_HEAD)} |\n| --- | --- | ---: | ---: | --- |"
    return "\n".join([head, *map(_markdown_row, list_entries(rows, CLASSES, None))])


def short_count(count: int | None) -> str:
    """Three digits and k, M or G: `11.7 M`; a dash for what is not known."""
    if count is None:
        return "-"
    for unit, letter in _UNITS:
        if count >= unit:
            return f"{_three_digits(count / unit)} {letter}"
    return str(count)


def _three_digits(value: float) -> str:
    whole = len(str(int(value)))
    return f"{value:.{max(0, 3 - whole)}f}"


def _cells(entry: Entry) -> tuple[str, ...]:
    return (
        entry.name,
        entry.provider,
        entry.family,
        short_count(entry.parameters),
        short_count(entry.trainable),
        short_count(entry.macs),
        "x".join(map(str, entry.input_size)),
        "yes" if entry.weights else "no",
    )


def _aligned(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    """Figures to the right, words to the left."""
    figures = range(_HEAD.index("parameters"), _HEAD.index("MACs") + 1)
    return [
        cell.rjust(width) if place in figures else cell.ljust(width)
        for place, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]


def _markdown_row(entry: Entry) -> str:
    name, provider, _, parameters, _, macs, image, _ = _cells(entry)
    return f"| `{name}` | {provider} | {parameters} | {macs} | {image} |"
