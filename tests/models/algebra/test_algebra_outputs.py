import pytest
import torch
from torch import fx

from vernier.models.algebra.outputs import Output

NAMES = ("scalar", "norm", "concat", "mean", "max")
NUMBERS = torch.randn(12, 5, 2, 3, generator=torch.Generator().manual_seed(3))
"""Three images of quaternions."""


@pytest.mark.parametrize("name", NAMES)
def test_each_image_is_what_numpy_makes_of_its_own_four_rows(name):
    import numpy as np

    oracle = {
        "scalar": lambda rows: rows[0],
        "norm": lambda rows: np.sqrt((rows.astype(np.float64) ** 2).sum(0)),
        "concat": lambda rows: np.concatenate(list(rows)),
        "mean": lambda rows: rows.mean(0),
        "max": lambda rows: rows.max(0),
    }[name]
    expected = np.stack([oracle(NUMBERS[4 * image : 4 * image + 4].numpy()) for image in range(3)])
    np.testing.assert_allclose(Output(4, name)(NUMBERS).numpy(), expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", NAMES)
def test_features_without_pixels_work_too_and_layers_can_be_traced(name):
    output = Output(4, name)
    assert output(NUMBERS[:, :, 0, 0]).shape == ((3, 20) if name == "concat" else (3, 5))
    assert torch.equal(fx.symbolic_trace(output)(NUMBERS), output(NUMBERS))


def test_the_gradient_of_the_norm_is_right_and_0_where_all_parts_are():
    numbers = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(Output(4, "norm"), numbers)
    zeros = torch.zeros(4, 3, requires_grad=True)
    Output(4, "norm")(zeros).sum().backward()
    assert torch.equal(zeros.grad, torch.zeros(4, 3))
