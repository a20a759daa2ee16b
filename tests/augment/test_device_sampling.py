"""Halving, and gathers that are the same for every way that images may lie."""

import cv2
import numpy as np
import pytest
import torch

from vernier.augment.device_pixels import Pixels, as_stack, from_stack, pack
from vernier.augment.device_sampling import halve

CPU = torch.device("cpu")


def hwc(pixels: Pixels, number: int) -> np.ndarray:
    height, width = pixels.sizes[number]
    return as_stack(pixels)[:, number, :height, :width].permute(1, 2, 0).numpy()


def test_packed_images_come_back(photos):
    images = [photos["china"][:31, :47], photos["flower"][5:50, 7:30], photos["china"][:1, :1]]
    packed = pack(images, CPU)
    for number, image in enumerate(images):
        np.testing.assert_array_equal(hwc(packed, number), image)


def test_a_cut_is_a_window_of_the_image(photos):
    images = [photos["china"][:31, :47], photos["flower"][5:50, 7:30]]
    windows = np.array([[3, 5, 20, 47], [0, 0, 45, 9]])
    cut = pack(images, CPU).cut(windows)
    for number, (image, (top, left, bottom, right)) in enumerate(zip(images, windows, strict=True)):
        np.testing.assert_array_equal(hwc(cut, number), image[top:bottom, left:right])


def test_smaller_images_of_a_stack_repeat_their_edge(photos):
    stack = as_stack(pack([photos["china"][:4, :9], photos["china"][:8, :6]], CPU))
    assert stack.shape == (3, 2, 8, 9)
    assert (stack[:, 0, 4:] == stack[:, 0, 3:4]).all()
    assert (stack[:, 1, :, 6:] == stack[:, 1, :, 5:6]).all()


def test_a_stack_is_its_own_stack():
    stack = torch.rand(3, 2, 5, 4)
    assert as_stack(from_stack(stack, np.array([[5, 4], [5, 4]]))).data_ptr() == stack.data_ptr()


@pytest.mark.parametrize("times", [(1, 1), (2, 0), (0, 1), (2, 3)])
def test_halving_is_the_mean_of_blocks_with_repeated_edges(times, photos):
    image = photos["china"][:37, :50]
    y, x = 2 ** times[0], 2 ** times[1]
    halved = hwc(halve(pack([photos["flower"][:9, :9], image], CPU), np.array([[0, 0], times])), 1)
    expected = image.astype(np.float32)
    for axis, count in enumerate(times):
        for _ in range(count):
            odd = expected.shape[axis] % 2
            expected = np.pad(expected, [(0, odd if a == axis else 0) for a in range(3)], mode="edge")
            even, uneven = (expected.take(np.arange(s, expected.shape[axis], 2), axis) for s in (0, 1))
            expected = (even + uneven) / 2
    np.testing.assert_allclose(halved, expected, atol=1e-3)
    if times == (1, 1):
        blocks = cv2.resize(image[:36, :50].astype(np.float32), (25, 18), interpolation=cv2.INTER_AREA)
        np.testing.assert_allclose(halved[:18], blocks, atol=1e-3)
    assert halved.shape[:2] == (-(-37 // y), -(-50 // x))
