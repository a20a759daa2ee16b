"""Colour on the device, against the matrices in float64."""

import numpy as np
import pytest
import torch

from vernier.augment.colour import COLOUR, ColourDraw
from vernier.augment.device_colour import change_colour, means
from vernier.augment.randomness import uniform
from vernier.config.augment import ColorJitter, Normalize, Rescale

JITTER = ColorJitter(brightness=0.4, contrast=0.4, saturation=0.4, p=0.7)
LISTS = {
    "jitter": (JITTER,),
    "normalise": (Normalize(mean=(0.4, 0.5, 0.6), std=0.25),),
    "contrast twice": (JITTER, Rescale(scale=0.5, offset=3), JITTER, Normalize(mean=0.5, std=0.5)),
}


def drawn(operations, count):
    keys = [f"{n}" for n in range(len(operations))]
    draws = [
        uniform(1, 0, np.arange(count), k, 1 + COLOUR[type(o)].draws) for k, o in zip(keys, operations, strict=True)
    ]
    return ColourDraw(tuple(operations), tuple(draws), (0, 1, 2))


@pytest.mark.parametrize("sizes", [[[20, 30]] * 6, [[20, 30], [7, 30], [20, 5]] * 2])
@pytest.mark.parametrize("name", LISTS)
def test_pixels_are_those_of_the_matrices(name, sizes, photos):
    sizes = np.array(sizes)
    images = torch.tensor(np.stack([photos["china"][20 * n : 20 * n + 20, 50:80] for n in range(6)]))
    draw = drawn(LISTS[name], 6)
    changed = change_colour(draw, images.permute(3, 0, 1, 2), sizes)
    for number, (height, width) in enumerate(sizes):
        image = images[number, :height, :width].double().numpy()
        of_all = np.tile(image.mean(axis=(0, 1)), (6, 1))
        matrix = draw.matrices(of_all)[number]
        expected = image @ matrix[:, :-1].T + matrix[:, -1]
        actual = changed[:, number, :height, :width].permute(1, 2, 0).numpy()
        np.testing.assert_allclose(actual, expected, atol=1e-3, rtol=1e-5)


def test_means_leave_out_what_is_beyond_an_image():
    stack = torch.full((3, 2, 4, 4), 9.0)
    stack[:, 1, :2, :3] = 1
    np.testing.assert_allclose(means(stack, np.array([[4, 4], [2, 3]])), [[9] * 3, [1] * 3])
