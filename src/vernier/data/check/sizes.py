"""How large images are, and which ones are oddly small or long."""

import numpy as np

from vernier.data.check.findings import Evidence, Example, Finding, Severity, each, passed
from vernier.data.check.quality_limits import ODD_ASPECT, SMALL_FACTOR
from vernier.data.wording import counted


def describe_sizes(evidence: Evidence) -> dict[str, list[int]]:
    """Height and width of the image with the fewest, the middle and the most pixels; empty without any."""
    heights, widths = _sides(evidence)
    if not len(heights):
        return {}
    order = np.argsort(heights * widths, kind="stable")
    places = {"smallest": order[0], "median": order[(len(order) - 1) // 2], "largest": order[-1]}
    return {name: [int(heights[place]), int(widths[place])] for name, place in places.items()}


def check_sizes(evidence: Evidence) -> Finding:
    """The smallest, the median and the largest image."""
    sizes = {name: f"{height}x{width}" for name, (height, width) in describe_sizes(evidence).items()}
    if not sizes:
        return passed("sizes", "no image that can be read")
    if len(set(sizes.values())) == 1 and _all_equal(evidence):
        return passed("sizes", f"all images are {sizes['median']} pixels (height x width)")
    words = ", ".join(f"{name} {size}" for name, size in sizes.items())
    return passed("sizes", f"{words} pixels (height x width)")


def check_small_images(evidence: Evidence) -> Finding:
    """Images that have to be enlarged, or that are much smaller than the others."""
    heights, widths = _sides(evidence)
    positions = evidence.scan.readable
    if evidence.input_size is None:
        return _small_for_the_set(positions, heights, widths)
    height, width = evidence.input_size
    factors = np.maximum(height / heights, width / widths)
    small = np.flatnonzero(factors > 1)
    if not len(small):
        return passed("small_images", f"no image is smaller than model.input_size={height}x{width}")
    small = small[np.argsort(-factors[small], kind="stable")]
    summary = (
        f"{counted(len(small), 'image')} smaller than model.input_size={height}x{width}, so enlarged, "
        f"up to {factors[small[0]]:.1f} times"
    )
    remedy = "get larger images, or choose a smaller model.input_size: enlarging adds work, not detail"
    severity: Severity = "WARN" if factors[small[0]] >= 2 else "info"
    return Finding("small_images", severity, len(small), summary, remedy, _examples(positions, heights, widths, small))


def _small_for_the_set(positions: np.ndarray, heights: np.ndarray, widths: np.ndarray) -> Finding:
    shorter = np.minimum(heights, widths)
    median = float(np.median(shorter)) if len(shorter) else 0.0
    small = np.flatnonzero(shorter * SMALL_FACTOR < median)
    if not len(small):
        return passed("small_images", f"no image is {SMALL_FACTOR} times smaller than the others")
    small = small[np.argsort(shorter[small], kind="stable")]
    summary = f"{counted(len(small), 'image')} with a side less than 1/{SMALL_FACTOR} of the usual {median:.0f} pixels"
    remedy = "look at them: thumbnails and icons among photos"
    return Finding("small_images", "WARN", len(small), summary, remedy, _examples(positions, heights, widths, small))


def check_aspect_ratios(evidence: Evidence) -> Finding:
    """Images that are much longer than they are wide, or the other way round."""
    heights, widths = _sides(evidence)
    ratios = np.maximum(heights, widths) / np.minimum(heights, widths)
    odd = np.flatnonzero(ratios > ODD_ASPECT)
    if not len(odd):
        return passed("aspect_ratios", f"no image is more than {ODD_ASPECT:g} times longer one way than the other")
    odd = odd[np.argsort(-ratios[odd], kind="stable")]
    summary = f"{counted(len(odd), 'image')} more than {ODD_ASPECT:g} times longer one way, up to {ratios[odd[0]]:.1f}"
    remedy = "a square crop shows a part of them only: Resize with mode: letterbox shows all, with borders"
    examples = _examples(evidence.scan.readable, heights, widths, odd)
    return Finding("aspect_ratios", "info", len(odd), summary, remedy, examples)


def _sides(evidence: Evidence) -> tuple[np.ndarray, np.ndarray]:
    rows = evidence.scan.rows[evidence.scan.readable]
    return rows["height"].astype(np.int64), rows["width"].astype(np.int64)


def _all_equal(evidence: Evidence) -> bool:
    heights, widths = _sides(evidence)
    return bool(np.ptp(heights) == 0 and np.ptp(widths) == 0)


def _examples(
    positions: np.ndarray, heights: np.ndarray, widths: np.ndarray, chosen: np.ndarray
) -> tuple[Example, ...]:
    return each(positions[chosen], [f"{heights[place]}x{widths[place]}" for place in chosen])
