"""Where an image counts as blank, dark, bright, grey, blurred, small or oddly shaped, and why there."""

from typing import Final

BLANK_SPREAD: Final = 4.0
"""Standard deviation (of 0 to 255) below which an image is nearly one colour: JPEG's own noise stays below it."""

DARK_END: Final = 32
"""95 % of a dark image's pixels are darker than this: an eighth of the range holds nearly all that there is to see."""

BRIGHT_END: Final = 223
"""95 % of a bright image's pixels are brighter than this."""

GREY_CHROMA: Final = 2.0
"""Mean difference of the channels below which an image is grey: JPEG turns grey into that much colour."""

BLUR_DEVIATIONS: Final = 3.5
"""So many deviations (1.4826 times the median absolute one, of the logarithm of sharpness) below the median an image
counts as blurred (Iglewicz and Hoaglin, "How to detect and handle outliers", 1993)."""

BLUR_FACTOR: Final = 16.0
"""And its sharpness is at least so many times lower than the median: a set of equally sharp images has no outliers."""

ODD_ASPECT: Final = 3.0
"""Longer over shorter side above which the usual square crop shows less than a third of an image."""

SMALL_FACTOR: Final = 4
"""Without a known input size, an image is small when its shorter side is so many times shorter than the median."""

IMBALANCE: Final = 10.0
"""Images of the largest class for one of the smallest, above which a plain training neglects the smallest."""

FEW_IMAGES: Final = 10
"""A class with fewer images can neither be learnt nor measured: one image is 10 % of its recall or more."""
