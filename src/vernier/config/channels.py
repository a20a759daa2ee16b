"""What the channels of images are called, and which of them are colours."""

from collections.abc import Sequence

_BY_NUMBER = {
    1: ("grey",),
    3: ("red", "green", "blue"),
    4: ("red", "green", "blue", "alpha"),
}
_COLOURS = ("red", "green", "blue")
_GREY = ("grey", "gray")

COLOR_MODES = {"grayscale": 1, "rgb": 3, "rgba": 4}
"""Values of `data.color_mode`, another name for `data.channels`."""


def channel_names(channels: int, names: Sequence[str] | None) -> tuple[str, ...]:
    """The names of all channels: those given, else the usual ones; none where there are none."""
    return _BY_NUMBER.get(channels, ()) if names is None else tuple(names)


def colour_places(channels: int, names: Sequence[str] | None) -> tuple[int, ...]:
    """Places of red, green and blue among the channels, else of grey, else none."""
    known = channel_names(channels, names)
    if all(colour in known for colour in _COLOURS):
        return tuple(known.index(colour) for colour in _COLOURS)
    return tuple(place for place, name in enumerate(known) if name in _GREY)[:1]
