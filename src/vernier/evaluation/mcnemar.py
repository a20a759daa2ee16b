"""McNemar's test of two classifiers on the same images."""

import math
from dataclasses import dataclass
from typing import final

import numpy as np


@final
@dataclass(frozen=True)
class McNemar:
    """Two-sided probabilities that two equally good classifiers differ at least so much in which images they get right.

    Attributes:
        exact: The exact conditional test (McNemar 1947, by the binomial distribution); never too small.
        mid_p: The mid-p version (Fagerland et al. 2013): half of the probability of what was seen counts, so it is
            less cautious.
    """

    exact: float
    mid_p: float


def mcnemar(only_first: int, only_second: int) -> McNemar:
    """The test from the images that only the first, and only the second classifier gets right.

    Under the null hypothesis the smaller number is binomial with n = their sum and p = 1/2. Without any such image
    both probabilities are 1.
    """
    n, fewer = only_first + only_second, min(only_first, only_second)
    # Whole numbers of any size divide to the nearest float.
    at = math.comb(n, fewer) / 2**n
    counts = np.arange(fewer, 0, -1, dtype=np.float64)
    below = at * float(np.cumprod(counts / (n - counts + 1)).sum())
    return McNemar(min(1.0, 2 * (below + at)), min(1.0, 2 * below + at))
