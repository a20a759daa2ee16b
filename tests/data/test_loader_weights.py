"""The weights of samples reach the batches that they are in."""

import dataclasses

import numpy as np
import pytest
import torch
from test_loader_mixing import COUNT, make_loader

WEIGHTS = np.random.default_rng(1).uniform(0, 3, COUNT).astype(np.float32)


@pytest.mark.parametrize("world_size", [1, 2, 5, 8])
@pytest.mark.parametrize("mixed", [False, True])
def test_each_sample_brings_its_own(world_size, mixed):
    total = 0.0
    for rank in range(world_size):
        loader = dataclasses.replace(make_loader(rank=rank, world_size=world_size, mixed=mixed), sample_weights=WEIGHTS)
        for batch in loader.epoch(0):
            own = WEIGHTS[batch.positions] * (rank < batch.global_count)
            assert np.array_equal(batch.weights.numpy(), own)
            total += float(batch.weights.double().sum())
    assert total == pytest.approx(float(WEIGHTS.astype(np.float64).sum()))


def test_weights_of_one_are_no_weights():
    ones = dataclasses.replace(make_loader(), sample_weights=np.ones(COUNT, np.float32))
    for one, other in zip(ones.epoch(0), make_loader().epoch(0), strict=True):
        assert torch.equal(one.weights, other.weights)
        assert torch.equal(one.images, other.images)
