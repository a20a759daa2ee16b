"""Resizes of training that name a kernel of their own."""

import numpy as np
import pytest
from PIL import Image

from vernier.augment.opencv_backend import OpenCVBackend
from vernier.augment.plan import ResizeStage, compile_plan
from vernier.augment.preprocess import compile_preprocessing
from vernier.augment.torch_backend import TorchBackend
from vernier.config.augment import (
    ColorJitter,
    RandomHorizontalFlip,
    RandomResizedCrop,
    RandomRotate,
    Resize,
    ResizeThenRandomCrop,
)

KERNELS = ["bilinear", "bicubic", "nearest", "area", "lanczos3", "lanczos5", "gaussian", "mitchellcubic"]


def _plan(*operations, channels=3, native_size=None):
    return compile_plan(
        operations,
        channels=channels,
        border="constant",
        fill=7,
        interpolation="bilinear",
        seed=3,
        native_size=native_size,
    )


def _images(count=4, channels=3):
    rng = np.random.default_rng(5)
    return [rng.integers(0, 256, (20 + 3 * n, 31 - 2 * n, channels), dtype=np.uint8) for n in range(count)]


def _run(plan, images):
    return OpenCVBackend(plan, 0).batch(images, np.arange(len(images)), 0).numpy()


@pytest.mark.parametrize("mode", ["fit", "crop", "letterbox"])
@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("antialias", [True, False])
def test_a_resize_is_what_evaluation_does(mode, kernel, antialias):
    operation = Resize(size=(9, 12), mode=mode, interpolation=kernel, antialias=antialias)
    expected = compile_preprocessing([operation], channels=3, fill=7, interpolation="bilinear")
    images = _images()
    for result, image in zip(_run(_plan(operation), images), images, strict=True):
        np.testing.assert_allclose(result, expected(image), atol=1e-4)


def test_without_a_kernel_of_its_own_it_stays_in_the_warp():
    assert not any(isinstance(stage, ResizeStage) for stage in _plan(Resize(size=(9, 9))).stages)
    plan = _plan(Resize(size=(9, 9), interpolation="nearest"), RandomRotate(), RandomHorizontalFlip())
    assert plan.describe() == ("Resize: nearest", "warp: RandomRotate + RandomHorizontalFlip -> 9x9")
    plan = _plan(Resize(size=(9, 9), antialias=False))
    assert plan.describe() == ("Resize: bilinear, not antialiased",)


def test_a_random_window_is_cut_out_and_then_resized():
    operation = RandomResizedCrop(size=(10, 8), scale=(0.2, 0.6), interpolation="lanczos3")
    plan, images = _plan(operation), _images()
    sizes = np.array([image.shape[:2] for image in images])
    warp = plan.draw(np.arange(4), 0, sizes)[0].warp
    results = _run(plan, images)
    for result, image, matrix in zip(results, images, warp.matrices, strict=True):
        left, top = np.rint(matrix[:2, 2]).astype(int)
        width, height = np.rint([matrix[0, 0] * 8, matrix[1, 1] * 10]).astype(int)
        for plane, channel in zip(result, np.moveaxis(image, 2, 0), strict=True):
            window = Image.fromarray(channel[top : top + height, left : left + width].astype(np.float32))
            expected = np.asarray(window.resize((8, 10), Image.Resampling.LANCZOS))
            np.testing.assert_allclose(plane, expected, atol=2e-3)


def test_a_window_of_a_resized_image():
    operation = ResizeThenRandomCrop(resize=(14, 16), size=(10, 8), interpolation="bicubic")
    plan, images = _plan(operation), _images()
    sizes = np.array([image.shape[:2] for image in images])
    warp = plan.draw(np.arange(4), 0, sizes)[0].warp
    for result, image, matrix in zip(_run(plan, images), images, warp.matrices, strict=True):
        height, width, _ = image.shape
        left, top = np.rint([matrix[0, 2] * 16 / width, matrix[1, 2] * 14 / height]).astype(int)
        for plane, channel in zip(result, np.moveaxis(image, 2, 0), strict=True):
            whole = Image.fromarray(channel.astype(np.float32)).resize((16, 14), Image.Resampling.BICUBIC)
            np.testing.assert_allclose(plane, np.asarray(whole)[top : top + 10, left : left + 8], atol=2e-3)


def test_an_image_that_is_passed_over_keeps_its_pixels():
    plan = _plan(Resize(size=(9, 9), interpolation="lanczos5", p=0.5), native_size=(9, 9))
    images = [image[:9, :9] for image in _images()]
    np.testing.assert_allclose(_run(plan, images), np.stack(images).transpose(0, 3, 1, 2))


@pytest.mark.parametrize("channels", [1, 3])
def test_on_a_device_it_is_the_same(channels):
    operations = (
        ColorJitter(brightness=0.3),
        RandomResizedCrop(size=(10, 8), scale=(0.2, 0.6), interpolation="mitchellcubic"),
        RandomHorizontalFlip(),
    )
    plan, images = _plan(*operations, channels=channels), _images(channels=channels)
    device = TorchBackend(plan, "cpu").batch(images, np.arange(4), 0).numpy()
    np.testing.assert_allclose(device, _run(plan, images), atol=2e-2)
