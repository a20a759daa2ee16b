"""The torch backend agrees with OpenCV, for every operation, border and interpolation."""

import numpy as np
import pytest
import torch

from vernier.augment.device_sampling import sample
from vernier.augment.opencv_backend import OpenCVBackend
from vernier.augment.plan import compile_plan
from vernier.augment.torch_backend import TorchBackend
from vernier.config.augment import (
    CentralCrop,
    CentralCropThenResize,
    ColorJitter,
    Normalize,
    Pad,
    RandomCrop,
    RandomFlip,
    RandomHorizontalFlip,
    RandomPerspective,
    RandomResizedCrop,
    RandomRotate,
    RandomRotate90,
    RandomVerticalFlip,
    RandomWindow,
    Resize,
    ResizeThenRandomCrop,
    Shear,
    Translate,
    Zoom,
)

SMALL = Resize(size=(60, 60))
LISTS = {
    "Resize": (SMALL,),
    "shortest, CentralCrop": (Resize(size=(64, 64), mode="shortest"), CentralCrop(size=(56, 60))),
    "letterbox": (Resize(size=(60, 70), mode="letterbox"),),
    "Pad": (SMALL, Pad(padding=(5, 3)), RandomFlip(mode="horizontal_and_vertical")),
    "CentralCropThenResize": (CentralCropThenResize(size=(60, 45)), RandomWindow()),
    "RandomCrop": (RandomCrop(size=(90, 90), padding=10),),
    "RandomResizedCrop": (RandomResizedCrop(size=(60, 60)),),
    "ResizeThenRandomCrop": (ResizeThenRandomCrop(resize=(70, 70), size=(60, 60)),),
    "flips": (SMALL, RandomHorizontalFlip(), RandomVerticalFlip()),
    "RandomRotate": (SMALL, RandomRotate(degrees=40)),
    "RandomRotate90": (SMALL, RandomRotate90()),
    "Translate": (SMALL, Translate(x=0.5, y=0.5)),
    "Zoom": (SMALL, Zoom(scale=(0.4, 2), scale_y=(0.4, 2))),
    "borders": (SMALL, Translate(x=0.5, border="reflect"), RandomRotate(border="constant", fill=(0, 255))),
    "Shear": (SMALL, Shear(x=20, y=20)),
    "RandomPerspective": (SMALL, RandomPerspective(p=1)),
    "colour": (SMALL, ColorJitter(brightness=0.4, contrast=0.4, saturation=0.4, hue=0.4)),
    "colour first": (ColorJitter(brightness=0.4, contrast=0.4, hue=0.4), Resize(size=(50, 50))),
    "two warps": (Resize(size=(64, 64), mode="shortest"), ColorJitter(contrast=0.4), RandomCrop(size=(60, 60))),
    "a quarter": (Resize(size=(30, 32)), RandomRotate(degrees=20)),
    "an eighth": (Resize(size=(15, 17)), RandomPerspective(distortion=0.3, p=1)),
}


def both(operations, images, **changes):
    options = {"channels": images[0].shape[2], "border": "constant", "fill": 30, "interpolation": "bilinear", "seed": 2}
    plan = compile_plan(operations, **{**options, **changes})
    indices = np.arange(len(images))
    return OpenCVBackend(plan, 0).batch(images, indices, 0), TorchBackend(plan, "cpu").batch(images, indices, 0)


@pytest.fixture(scope="module")
def images(photos):
    return [photos["china"][100:221, 100:233], photos["flower"][50:200, 200:330], photos["china"][:77, :180]] * 2


@pytest.mark.parametrize("border", ["constant", "reflect", "replicate", "wrap"])
@pytest.mark.parametrize("name", LISTS)
def test_the_backends_agree(name, border, images):
    opencv, torch_result = both(LISTS[name], images, border=border)
    assert torch_result.is_contiguous(memory_format=torch.channels_last)
    difference = (opencv - torch_result).abs()
    assert difference.mean() < 0.5
    assert (difference > 2).float().mean() < 0.002


@pytest.mark.parametrize(("interpolation", "tolerance"), [("bicubic", 0.5), ("nearest", 2.0)])
def test_the_backends_agree_on_other_interpolations(interpolation, tolerance, images):
    operations = (RandomResizedCrop(size=(60, 60)), RandomRotate(degrees=20))
    opencv, torch_result = both(operations, images, interpolation=interpolation)
    assert (opencv - torch_result).abs().mean() < tolerance


def test_the_backends_agree_on_grey_images(images):
    opencv, torch_result = both((SMALL, RandomRotate()), [image[..., :1] for image in images])
    assert torch_result.shape == (6, 1, 60, 60)
    assert (opencv - torch_result).abs().mean() < 0.1


@pytest.mark.parametrize("channels", [2, 4, 5, 13])
@pytest.mark.parametrize("border", ["constant", "wrap"])
def test_the_backends_agree_on_any_number_of_channels(channels, border, images):
    many = [np.concatenate([image, 255 - image, image[::-1], image, image], axis=2)[..., :channels] for image in images]
    opencv, torch_result = both((Resize(size=(25, 60)), RandomRotate(degrees=40)), many, border=border)
    assert torch_result.shape == (6, channels, 25, 60)
    difference = (opencv - torch_result).abs()
    assert difference.mean() < 0.5
    assert (difference > 2).float().mean() < 0.002


def test_the_backends_agree_on_normalised_batches(images):
    operations = (RandomResizedCrop(size=(60, 60)), ColorJitter(contrast=0.5), Normalize(mean=0.5, std=0.25))
    opencv, torch_result = both(operations, images)
    assert (opencv - torch_result).abs().mean() < 1e-3


def test_an_image_s_result_does_not_depend_on_its_batch(images):
    plan = compile_plan(
        (RandomResizedCrop(size=(40, 40)), RandomRotate(), ColorJitter(contrast=0.5, hue=0.2)),
        channels=3,
        border="constant",
        fill=0,
        interpolation="bilinear",
        seed=0,
    )
    backend = TorchBackend(plan, "cpu")
    whole = backend.batch(images, np.arange(6), 0)
    alone = torch.cat([backend.batch([image], np.array([n]), 0) for n, image in enumerate(images)])
    torch.testing.assert_close(whole, alone, atol=2e-3, rtol=0)


def test_an_empty_batch_is_empty():
    plan = compile_plan((SMALL,), channels=3, border="constant", fill=0, interpolation="bilinear", seed=0)
    assert TorchBackend(plan, "cpu").batch([], np.array([], np.int64), 0).shape == (0, 3, 60, 60)


@pytest.mark.parametrize("name", ["RandomCrop", "two warps", "colour first", "an eighth", "borders"])
def test_a_device_without_values_is_enough(name, images):
    """The meta device has shapes and no values: whatever asks it for a value, and so waits for it, fails."""
    for border in ("constant", "reflect", "wrap"):
        plan = compile_plan(LISTS[name], channels=3, border=border, fill=0, interpolation="bilinear", seed=0)
        batch = TorchBackend(plan, "meta").batch(images, np.arange(6), 0)
        assert batch.shape == (6, 3, *plan.output_size)


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_a_compiled_sampler_gives_the_same(images):
    # At full size: every width of smoothing is a compilation of its own.
    operations = (
        RandomCrop(size=(40, 40)),
        RandomRotate(),
        RandomPerspective(distortion=0.1),
        Normalize(mean=0.5, std=0.25),
    )
    plan = compile_plan(operations, channels=3, border="reflect", fill=0, interpolation="bilinear", seed=0)
    compiled = TorchBackend(plan, "cpu", sampler=torch.compile(sample, dynamic=True))
    for epoch in range(2):
        expected = TorchBackend(plan, "cpu").batch(images, np.arange(6), epoch)
        torch.testing.assert_close(compiled.batch(images, np.arange(6), epoch), expected, atol=1e-3, rtol=0)
