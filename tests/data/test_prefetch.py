"""On a CPU batches come through as they are."""

import numpy as np
import torch

from vernier.data.loader import Batch
from vernier.data.prefetch import on_device


def test_batches_on_a_cpu_are_the_same_objects_in_order_and_not_asked_for_early():
    made = []

    def batches():
        for number in range(3):
            made.append(Batch(torch.full((1, 3, 2, 2), number), torch.zeros(1), torch.ones(1), np.array([number]), 1))
            yield made[-1]

    coming = on_device(batches(), torch.device("cpu"))
    assert made == []
    for number, batch in enumerate(coming):
        assert batch is made[number]
        assert len(made) == number + 1
    assert len(made) == 3
