"""The handwritten digits that scikit-learn brings along: 1797 images of 8x8, no download."""

import numpy as np

from vernier.data.sources.arrays import LabelledArray
from vernier.data.stratify import draw_stratified

_TEST_SHARE = 0.2


def load_digits() -> LabelledArray:
    """Grey levels 0 to 16 become 0 to 255. A fifth is the test set, stratified and always the same."""
    from sklearn.datasets import load_digits as load

    bunch = load()
    labels = bunch.target.astype(np.int64)
    keys = [f"{index:04d}" for index in range(len(labels))]
    test = draw_stratified(keys, labels, _TEST_SHARE, 0, "digits test set")
    return LabelledArray(
        name="digits",
        array=np.rint(bunch.images * (255 / 16)).astype(np.uint8)[..., None],
        labels=labels,
        class_names=tuple(str(digit) for digit in range(10)),
        keys=keys,
        split=["test" if drawn else "train" for drawn in test],
    )
