import numpy as np
import pytest
import torch
from torch import nn

from vernier.config.algebra import AlgebraConfig
from vernier.deploy.explain.gradcam import class_score, grad_cam, predicted_place
from vernier.deploy.explain.target_layer import TargetLayer, find_target_layer
from vernier.models.architecture import Architecture
from vernier.models.providers import build_model
from vernier.models.task import make_task

MULTICLASS = make_task("multiclass", ("a", "b", "c"))


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def _network(*head: nn.Module) -> nn.Sequential:
    body = (nn.Conv2d(2, 5, 3, padding=1), nn.ReLU(inplace=True), nn.Conv2d(5, 4, 3, stride=2), nn.ReLU(inplace=True))
    return nn.Sequential(*body, *head).eval()


def test_with_a_pooled_linear_head_it_is_the_class_activation_map():
    """Zhou et al. 2016; Selvaraju et al. 2017, section 3.1: equal up to the number of places."""
    network = _network(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
    images = torch.randn(6, 2, 11, 9)
    target = find_target_layer(network, 2, (11, 9))
    assert target == TargetLayer("3", "nchw", 5, 4)
    features = network[:4](images)
    for place in range(3):
        weights = network[6].weight[place]
        expected = torch.einsum("k,bkhw->bhw", weights, features).relu() / 20
        found = grad_cam(network, images, target, class_score(MULTICLASS, place))
        np.testing.assert_allclose(found, expected.detach().numpy(), rtol=1e-5, atol=1e-7)
        assert found.max() > 0


def test_channel_weights_are_the_slopes_that_finite_differences_see():
    network = _network(nn.Flatten(), nn.Linear(4 * 5 * 4, 16), nn.Tanh(), nn.Linear(16, 3)).double()
    image = torch.randn(1, 2, 11, 9, dtype=torch.float64)
    features = network[:4](image).detach()
    step, places = 1e-5, 20
    slopes = []
    for channel in range(4):
        moved = torch.zeros_like(features)
        moved[:, channel] = step
        ends = (network[4:](features + sign * moved)[0, 1].item() for sign in (1, -1))
        slopes.append((next(ends) - next(ends)) / (2 * step) / places)
    expected = np.maximum(0, np.einsum("k,khw->hw", slopes, features[0].numpy()))
    found = grad_cam(network, image, TargetLayer("3", "nchw", 5, 4), class_score(MULTICLASS, 1))
    np.testing.assert_allclose(found[0], expected, rtol=1e-6, atol=1e-12)
    assert expected.max() > 0


def test_the_map_lies_where_the_class_is():
    network = nn.Sequential(nn.Conv2d(2, 2, 1, bias=False), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 2))
    with torch.no_grad():
        network[0].weight.copy_(torch.eye(2)[:, :, None, None])
        network[3].weight.copy_(torch.eye(2))
    image = torch.zeros(1, 2, 8, 8)
    image[0, 0, 0, 1] = image[0, 1, 7, 6] = 1
    target = find_target_layer(network.eval(), 2, (8, 8))
    for place, spot in enumerate([(0, 1), (7, 6)]):
        found = grad_cam(network, image, target, class_score(make_task("multiclass", ("a", "b")), place))[0]
        assert np.argwhere(found > 0).tolist() == [list(spot)]


def test_the_negative_class_is_the_other_sign():
    network = _network(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 1))
    target, image = find_target_layer(network, 2, (11, 9)), torch.randn(3, 2, 11, 9)
    task = make_task("binary", ("no", "yes"))
    no, yes = (grad_cam(network, image, target, class_score(task, place)) for place in (0, 1))
    weights = torch.einsum("k,bkhw->bhw", network[6].weight[0], network[:4](image)).detach().numpy() / 20
    np.testing.assert_allclose(yes - no, weights, rtol=1e-5, atol=1e-7)
    assert (no > 0).any()
    assert (yes > 0).any()


def test_frozen_networks_have_maps_too_and_stay_as_they_were():
    network = _network(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)).requires_grad_(False)
    with torch.no_grad():
        target = find_target_layer(network, 2, (11, 9))
    found = grad_cam(network, torch.randn(1, 2, 11, 9), target, class_score(MULTICLASS, 2))
    assert found.shape == (1, 5, 4)
    assert all(not module._forward_hooks for module in network.modules())
    assert all(parameter.grad is None for parameter in network.parameters())


def test_parts_of_hypercomplex_numbers_are_channels():
    algebra = AlgebraConfig(name="quaternion")
    architecture = Architecture("zoo", "digits_cnn", {}, 3, 1, (8, 8), algebra=algebra)
    network = build_model(architecture).eval()
    target = find_target_layer(network, 1, (8, 8))
    images = torch.randn(2, 1, 8, 8)
    found = grad_cam(network, images, target, class_score(MULTICLASS, 0))
    kept = {}

    def keep(module: nn.Module, inputs: object, output: torch.Tensor) -> None:
        output.retain_grad()
        kept["map"] = output

    handle = network.get_submodule(target.name).register_forward_hook(keep)
    network(images)[:, 0].sum().backward()
    handle.remove()
    values, slopes = kept["map"].detach().numpy(), kept["map"].grad.numpy()
    assert values.shape == (8, values.shape[1], target.height, target.width)
    for image in range(2):
        parts = slice(4 * image, 4 * image + 4)
        expected = (slopes[parts].mean(axis=(2, 3), keepdims=True) * values[parts]).sum(axis=(0, 1))
        np.testing.assert_allclose(found[image], np.maximum(0, expected), rtol=1e-4, atol=1e-8)


@pytest.mark.parametrize(
    ("task", "probabilities", "expected"),
    [("multiclass", [0.2, 0.7, 0.1], 1), ("binary", [0.4, 0.6], 0), ("multilabel", [0.1, 0.3, 0.2], 1)],
)
def test_the_answer_is_explained(task, probabilities, expected):
    names = ("a", "b", "c")[: len(probabilities)]
    answered = predicted_place(make_task(task, names, threshold=0.7), np.array([probabilities], np.float32))
    assert answered == expected
