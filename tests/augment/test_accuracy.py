"""Promise 4: how close composed warps are to the truth, on real photographs."""

import numpy as np
import pytest
import torch
from augment_reference import composed, interpolate, one_by_one, psnr, supersampled

from vernier.augment.opencv_backend import OpenCVBackend
from vernier.augment.plan import compile_plan
from vernier.augment.torch_backend import TorchBackend
from vernier.config.augment import (
    CentralCrop,
    CentralCropThenResize,
    Pad,
    RandomCrop,
    RandomFlip,
    RandomHorizontalFlip,
    RandomPerspective,
    RandomResize,
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

BORDER = {"border": "constant", "fill": 0}
LISTS = {
    "window, flip, rotation, perspective": (
        RandomResizedCrop(size=(128, 128), scale=(0.1, 0.5)),
        RandomHorizontalFlip(),
        RandomRotate(degrees=15),
        RandomPerspective(distortion=0.3, p=1),
    ),
    "rotation, zoom, shear": (
        CentralCrop(size=(128, 128)),
        RandomRotate(degrees=30),
        Zoom(scale=(0.9, 1.2)),
        Shear(x=10, y=5),
    ),
    "resize, crop, translation": (
        ResizeThenRandomCrop(resize=(240, 320), size=(150, 150)),
        Translate(x=0.1, y=0.1),
        RandomRotate(degrees=10),
    ),
}


def run(operations, images, backend="opencv", **settings):
    options = {"channels": images[0].shape[2], "interpolation": "bilinear", "seed": 3, **BORDER, **settings}
    plan = compile_plan(operations, **options)
    made = OpenCVBackend(plan, 0) if backend == "opencv" else TorchBackend(plan, "cpu")
    return made.batch(images, np.arange(len(images)), 0).permute(0, 2, 3, 1).numpy()


@pytest.mark.parametrize("name", LISTS)
def test_a_composed_warp_is_closer_to_the_truth_than_the_list_one_by_one(name, photos):
    operations, images = LISTS[name], [photos["china"], photos["flower"][:400]]
    sizes = np.array([image.shape[:2] for image in images])
    warps = composed(operations, sizes, np.arange(len(images)), 0, 3)
    results = run(operations, images)
    errors, listed_errors = [], []
    for index, image in enumerate(images):
        truth = supersampled(image, warps.matrices[index], warps.sizes[index])
        ones = np.ones((*image.shape[:2], 1))
        inside = one_by_one(ones, operations, index, 0, 3, **BORDER)[..., 0] > 1 - 1e-9
        errors.append((results[index] - truth)[inside])
        listed_errors.append((one_by_one(image, operations, index, 0, 3, **BORDER) - truth)[inside])
    ours, theirs = psnr(np.concatenate(errors)), psnr(np.concatenate(listed_errors))
    print(f"{name}: composed {ours:.1f} dB, one by one {theirs:.1f} dB")
    assert ours >= theirs + 3
    assert ours >= 37


@pytest.mark.parametrize("times", [1.3, 2, 3, 4, 5, 8])
def test_shrinking_does_not_alias(times, photos):
    images = [photos["china"][60:380, 100:500], photos["flower"][60:380, 100:500]]
    size = (round(320 / times), round(400 / times))
    operations = (Resize(size=size), RandomRotate(degrees=15))
    warps = composed(operations, np.array([[320, 400]] * 2), np.arange(2), 0, 3)
    truth = np.stack([supersampled(image, warps.matrices[n], size) for n, image in enumerate(images)])
    rim = size[0] // 6
    for backend in ("opencv", "torch"):
        error = (run(operations, images, backend) - truth)[:, rim:-rim, rim:-rim]
        print(f"shrinking {times}x, {backend}: {psnr(error):.1f} dB")
        assert psnr(error) >= 36


def ramp() -> np.ndarray:
    """Red is the column, green the row: uint8 (150, 220, 3)."""
    y, x = np.mgrid[:150, :220]
    return np.stack([x, y, (x + y) // 2], axis=-1).astype(np.uint8)


GEOMETRY_LISTS = {
    "Resize": (Resize(size=(101, 187)),),
    "Resize larger": (Resize(size=(333, 241)),),
    "Resize shortest": (Resize(size=(64, 64), mode="shortest"), CentralCrop(size=(64, 80))),
    "Resize letterbox": (Resize(size=(128, 128), mode="letterbox"),),
    "Resize longest": (Resize(size=(128, 128), mode="longest"), CentralCrop(size=(90, 128))),
    "RandomResize": (RandomResize(size=(120, 120), scale=(0.8, 1.6)), CentralCrop(size=(90, 120))),
    "CentralCrop": (CentralCrop(size=(61, 300)),),
    "CentralCropThenResize": (CentralCropThenResize(size=(131, 90)),),
    "Pad": (CentralCrop(size=(150, 220)), Pad(padding=(3, 9, 2, 7))),
    "RandomWindow": (CentralCrop(size=(150, 220)), RandomWindow()),
    "RandomFlip": (CentralCrop(size=(150, 220)), RandomFlip(mode="horizontal_and_vertical")),
    "RandomCrop": (RandomCrop(size=(140, 200), padding=9),),
    "RandomResizedCrop": (RandomResizedCrop(size=(96, 128)),),
    "ResizeThenRandomCrop": (ResizeThenRandomCrop(resize=(160, 160), size=(120, 130)),),
    "RandomHorizontalFlip": (CentralCrop(size=(150, 220)), RandomHorizontalFlip()),
    "RandomVerticalFlip": (CentralCrop(size=(150, 220)), RandomVerticalFlip()),
    "RandomRotate": (CentralCrop(size=(150, 220)), RandomRotate(degrees=40)),
    "RandomRotate90": (CentralCrop(size=(120, 120)), RandomRotate90()),
    "Translate": (CentralCrop(size=(150, 220)), Translate(x=0.3, y=0.3)),
    "Zoom": (CentralCrop(size=(150, 220)), Zoom(scale=(0.5, 3))),
    "Zoom of both axes": (CentralCrop(size=(150, 220)), Zoom(scale=(0.5, 3), scale_y=(1, 2))),
    "Shear": (CentralCrop(size=(150, 220)), Shear(x=20, y=10)),
    "RandomPerspective": (CentralCrop(size=(150, 220)), RandomPerspective(distortion=0.4, p=1)),
    "shrinking by 3": (Resize(size=(50, 73)), RandomRotate(degrees=20)),
    "everything": (
        RandomResizedCrop(size=(96, 128)),
        RandomHorizontalFlip(),
        RandomRotate(degrees=15),
        Shear(x=5, y=5),
        RandomPerspective(distortion=0.3, p=1),
    ),
}


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("backend", ["opencv", "torch"])
@pytest.mark.parametrize("name", GEOMETRY_LISTS)
def test_a_ramp_of_coordinates_comes_out_as_the_coordinates(name, backend, interpolation):
    images, operations = [ramp()] * 4, GEOMETRY_LISTS[name]
    results = run(operations, images, backend, interpolation=interpolation)
    warps = composed(operations, np.tile([150, 220], (4, 1)), np.arange(4), 0, 3)
    checked = 0
    for result, matrix in zip(results, warps.matrices, strict=True):
        y, x = np.mgrid[: result.shape[0], : result.shape[1]] + 0.5
        u, v, w = matrix @ np.stack([x.ravel(), y.ravel(), np.ones(x.size)])
        u, v = u / w, v / w
        inside = (w > 0) & (u > 5) & (v > 5) & (u < 215) & (v < 145)
        expected = np.stack([u - 0.5, v - 0.5], axis=1)[inside]
        actual = result.reshape(-1, 3)[inside, :2]
        assert np.abs(actual - expected).max(initial=0) < (0.01 if interpolation == "bilinear" else 0.05)
        checked += inside.sum()
    assert checked > 4000


@pytest.mark.parametrize("border", ["constant", "reflect", "replicate", "edge", "wrap"])
@pytest.mark.parametrize("backend", ["opencv", "torch"])
def test_borders_are_those_of_the_reference(backend, border, photos):
    image = photos["china"][100:160, 200:290]
    operations = (CentralCrop(size=(60, 90)), RandomRotate(degrees=(30, 60)), Translate(x=0.5, y=0.5))
    result = run(operations, [image] * 6, backend, border=border, fill=200)
    warps = composed(operations, np.tile([60, 90], (6, 1)), np.arange(6), 0, 3)
    different = 0
    for actual, matrix in zip(result, warps.matrices, strict=True):
        expected = interpolate(image.astype(np.float64), matrix, (60, 90), border, 200)
        different += (np.abs(actual - expected).max(axis=2) > 0.05).sum()
    assert different <= 3, "but for pixels whose middle is on the edge itself"


@pytest.mark.parametrize("backend", ["opencv", "torch"])
def test_enlarging_does_not_mix_the_fill_into_the_edge(backend, photos):
    result = torch.from_numpy(run((Resize(size=(90, 120)),), [photos["flower"][:30, :40]], backend, fill=255))
    image = torch.from_numpy(photos["flower"][:30, :40].astype(np.float32))
    expected = torch.nn.functional.interpolate(image.permute(2, 0, 1)[None], size=(90, 120), mode="bilinear")
    torch.testing.assert_close(result, expected.permute(0, 2, 3, 1), atol=0.02, rtol=0)
