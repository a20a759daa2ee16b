import pytest
import torch
from torch import fx, nn

from vernier.models.algebra.inputs import (
    BasicInput,
    GrayscaleInput,
    JointInput,
    LearnedInput,
    convolutional_part,
    linear_part,
)

IMAGES = torch.randn(3, 3, 6, 5, generator=torch.Generator().manual_seed(7))


def parts(rows: torch.Tensor, blades: int) -> torch.Tensor:
    return rows.view(-1, blades, *rows.shape[1:])


@pytest.mark.parametrize("shape", [(3, 5), (3, 2, 4, 4)])
def test_basic_is_the_image_as_scalar_part_and_zeros(shape):
    x = torch.randn(shape)
    numbers = parts(BasicInput(4)(x), 4)
    assert torch.equal(numbers[:, 0], x)
    assert not numbers[:, 1:].any()


def test_joint_has_the_colours_as_imaginary_parts():
    numbers = JointInput()(IMAGES)
    assert numbers.shape == (12, 1, 6, 5)
    assert not parts(numbers, 4)[:, 0].any()
    for colour in range(3):
        assert torch.equal(parts(numbers, 4)[:, 1 + colour, 0], IMAGES[:, colour])


def test_grayscale_adds_the_grey_value_that_pillow_computes(photos):
    from PIL import Image

    photo = photos["china"][:40, :60]
    image = torch.from_numpy(photo).permute(2, 0, 1)[None].float()
    numbers = parts(GrayscaleInput()(image), 4)
    grey = torch.tensor(list(Image.fromarray(photo).convert("L").get_flattened_data())).view(40, 60)
    assert (numbers[0, 0, 0] - grey).abs().max() <= 1
    assert torch.equal(numbers[:, 1:, 0], image)


@pytest.mark.parametrize(
    ("x", "part"), [(IMAGES, lambda: convolutional_part(3)), (torch.randn(6, 5), lambda: linear_part(5))]
)
def test_learned_has_a_network_of_its_own_for_each_other_blade(x, part):
    torch.manual_seed(0)
    layer = LearnedInput(4, part)
    numbers = parts(layer(x), 4)
    assert torch.equal(numbers[:, 0], x)
    assert len({blade.tolist()[0] for blade in numbers.detach().transpose(0, 1).flatten(1)}) == 4
    numbers.square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in layer.parameters())


@pytest.mark.parametrize("layer", [BasicInput(4), JointInput(), GrayscaleInput(), LearnedInput(4, nn.Identity)])
def test_inputs_can_be_traced_and_do_not_mind_the_memory_format(layer):
    traced = fx.symbolic_trace(layer)
    expected = layer(IMAGES)
    assert torch.equal(traced(IMAGES), expected)
    assert torch.equal(layer(IMAGES.contiguous(memory_format=torch.channels_last)), expected)
