import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from vernier.optim.clipping import clip_global_norm_, clip_parameter_norms_, clip_value_

SHAPES = ((4, 3, 3, 3), (5,), (2, 7), (1,))


def weights(scale=1.0, dtype=torch.float32):
    """Parameters with gradients, one without, one whose gradient has another memory format."""
    generator = torch.Generator().manual_seed(0)
    found = [nn.Parameter(torch.zeros(shape, dtype=dtype)) for shape in SHAPES]
    for weight in found:
        weight.grad = (torch.randn(weight.shape, generator=generator) * scale).to(dtype)
    found[0].grad = found[0].grad.contiguous(memory_format=torch.channels_last)
    return [*found, nn.Parameter(torch.zeros(3))]


def gradients(parameters):
    return [parameter.grad.double().numpy().copy() for parameter in parameters[:-1]]


@settings(max_examples=30, deadline=None)
@given(st.floats(1e-3, 1e3), st.floats(1e-3, 10))
def test_gradients_are_those_of_the_formulas(scale, limit):
    norms = {
        clip_value_: lambda grads: [np.clip(g, -limit, limit) for g in grads],
        clip_parameter_norms_: lambda grads: [g * min(1, limit / np.linalg.norm(g)) for g in grads],
        clip_global_norm_: lambda grads: [
            g * min(1, limit / np.sqrt(sum(np.square(other).sum() for other in grads))) for g in grads
        ],
    }
    for clip, formula in norms.items():
        parameters = weights(scale)
        before = gradients(parameters)
        clip(parameters, limit)
        for got, wanted in zip(gradients(parameters), formula(before), strict=True):
            np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-30)


def test_the_global_norm_is_torchs():
    ours, theirs = weights(10), weights(10)
    norm = clip_global_norm_(ours, 2.0)
    torch.testing.assert_close(norm, nn.utils.clip_grad_norm_(theirs, 2.0))
    for one, other in zip(ours[:-1], theirs[:-1], strict=True):
        torch.testing.assert_close(one.grad, other.grad)


def test_what_is_within_the_limit_keeps_its_bits():
    for clip, limit in ((clip_value_, 100), (clip_parameter_norms_, 100), (clip_global_norm_, 1000)):
        parameters = weights()
        before = gradients(parameters)
        clip(parameters, limit)
        assert all(map(np.array_equal, gradients(parameters), before))


@pytest.mark.parametrize("clip", [clip_value_, clip_parameter_norms_, clip_global_norm_])
def test_nothing_to_clip_is_fine(clip):
    clip([nn.Parameter(torch.zeros(2))], 1.0)
    assert clip_global_norm_([], 1.0) == 0


@pytest.mark.parametrize("clip", [clip_value_, clip_parameter_norms_, clip_global_norm_])
def test_what_is_not_a_number_stays_so(clip):
    parameters = weights()
    parameters[0].grad[0, 0, 0, 0] = torch.nan
    clip(parameters, 0.1)
    assert parameters[0].grad.isnan().any()


def test_the_norm_of_bfloat16_gradients_is_summed_in_float32():
    weight = nn.Parameter(torch.zeros(100_000, dtype=torch.bfloat16))
    weight.grad = torch.ones_like(weight)
    assert clip_global_norm_([weight], 1.0).item() == pytest.approx(100_000**0.5, rel=1e-5)
