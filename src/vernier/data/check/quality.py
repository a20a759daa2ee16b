"""Images that show little, or look unlike the others: blank, dark, bright, blurred, grey, odd channels."""

from collections import Counter
from typing import Final

import numpy as np

from vernier.data.check.findings import Evidence, Finding, Severity, each, passed
from vernier.data.check.pixel_format import WORDS
from vernier.data.check.quality_limits import (
    BLANK_SPREAD,
    BLUR_DEVIATIONS,
    BLUR_FACTOR,
    BRIGHT_END,
    DARK_END,
    GREY_CHROMA,
)
from vernier.data.wording import counted

_LOOK: Final = "look at them: what can't be seen can't be learnt"
_NORMAL: Final = 1.4826
"""A normal distribution's standard deviation over its median absolute deviation."""


def check_blank(evidence: Evidence) -> Finding:
    """Images of nearly one colour."""
    rows, positions = _readable(evidence)
    return _found(
        "blank",
        "WARN",
        "of nearly one colour",
        "remove them: there is nothing to see",
        _lowest(positions, rows["spread"], rows["spread"] < BLANK_SPREAD),
    )


def check_dark(evidence: Evidence) -> Finding:
    """Images of which nearly all is dark."""
    rows, positions = _readable(evidence)
    dark = (rows["bright_end"] < DARK_END) & (rows["spread"] >= BLANK_SPREAD)
    return _found("dark", "info", "nearly all dark", _LOOK, _lowest(positions, rows["bright_end"], dark))


def check_bright(evidence: Evidence) -> Finding:
    """Images of which nearly all is bright."""
    rows, positions = _readable(evidence)
    bright = (rows["dark_end"] > BRIGHT_END) & (rows["spread"] >= BLANK_SPREAD)
    return _found(
        "bright", "info", "nearly all bright", _LOOK, _lowest(positions, -rows["dark_end"].astype(int), bright)
    )


def check_blurred(evidence: Evidence) -> Finding:
    """Images that are much less sharp than the others."""
    rows, positions = _readable(evidence)
    textured = rows["spread"] >= BLANK_SPREAD
    rows, positions = rows[textured], positions[textured]
    logarithm = np.log(rows["sharpness"].astype(np.float64) + 1)
    median = np.median(logarithm) if len(logarithm) else 0.0
    deviation = _NORMAL * np.median(np.abs(logarithm - median)) if len(logarithm) else 0.0
    limit = median - max(BLUR_DEVIATIONS * float(deviation), float(np.log(BLUR_FACTOR)))
    return _found(
        "blurred", "info", "much less sharp than the others", _LOOK, _lowest(positions, logarithm, logarithm < limit)
    )


def check_grey(evidence: Evidence) -> Finding:
    """Grey images among colour ones."""
    rows, positions = _readable(evidence)
    grey = (rows["chroma"] < GREY_CHROMA) & (rows["spread"] >= BLANK_SPREAD)
    colour = int((rows["chroma"] >= GREY_CHROMA).sum())
    if not colour:
        return passed("grey", "all images are grey" if len(rows) else "no image that can be read")
    remedy = "fine if the classes have equal shares of them; else colour gives the class away"
    return _found("grey", "info", f"grey among {colour} of colour", remedy, positions[grey])


def check_channels(evidence: Evidence) -> Finding:
    """Transparency, CMYK and more than 8 bits a channel."""
    odd = np.flatnonzero(evidence.scan.rows["odd"])
    if not len(odd):
        return passed("channels", "8 bits of grey or colour everywhere")
    words = [
        [word for flag, word in WORDS.items() if flags & flag] for flags in evidence.scan.rows["odd"][odd].tolist()
    ]
    counts = Counter(word for some in words for word in some)
    summary = f"{counted(len(odd), 'image')} with " + ", ".join(f"{word} ({n})" for word, n in sorted(counts.items()))
    remedy = "read as 8 bits of colour, transparent pixels over white; data.channels=4 keeps transparency"
    return Finding("channels", "info", len(odd), summary, remedy, each(odd, [", ".join(some) for some in words]))


def _readable(evidence: Evidence) -> tuple[np.ndarray, np.ndarray]:
    positions = evidence.scan.readable
    return evidence.scan.rows[positions], positions


def _lowest(positions: np.ndarray, values: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """The chosen positions, those of the lowest values first."""
    places = np.flatnonzero(chosen)
    return np.asarray(positions[places[np.argsort(values[places], kind="stable")]])


def _found(check: str, severity: Severity, words: str, remedy: str, positions: np.ndarray) -> Finding:
    if not len(positions):
        return passed(check, f"no image is {words}")
    return Finding(
        check, severity, len(positions), f"{counted(len(positions), 'image')} {words}", remedy, each(positions)
    )
