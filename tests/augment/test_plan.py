"""Lists compile to few stages without changing what they mean."""

import numpy as np
import pytest
import torch
from augment_reference import one_by_one
from hypothesis import given, settings
from hypothesis import strategies as st

from vernier.augment.opencv_backend import OpenCVBackend
from vernier.augment.plan import compile_plan
from vernier.config.augment import (
    CentralCrop,
    ColorJitter,
    Normalize,
    RandomCrop,
    RandomFlip,
    RandomHorizontalFlip,
    RandomPerspective,
    RandomResizedCrop,
    RandomRotate,
    RandomRotate90,
    RandomVerticalFlip,
    Rescale,
    Resize,
    Translate,
)
from vernier.errors import ConfigError

NORMALIZE = Normalize(mean=(0.5, 0.4, 0.3), std=0.2)
WINDOW = RandomResizedCrop(size=(224, 224))


def compiled(*operations, **changes):
    settings = {"channels": 3, "border": "constant", "fill": 0, "interpolation": "bilinear", "seed": 0}
    return compile_plan(operations, **{**settings, **changes})


def test_neighbours_merge():
    jitter = ColorJitter(brightness=0.3, contrast=0.3, saturation=0.3)
    plan = compiled(WINDOW, RandomHorizontalFlip(), RandomRotate(), jitter, NORMALIZE)
    assert plan.describe() == (
        "warp: RandomResizedCrop + RandomHorizontalFlip + RandomRotate -> 224x224",
        "colour matrix: brightness, contrast, saturation, Normalize",
    )
    assert plan.output_size == (224, 224)


def test_hue_is_a_stage_of_its_own():
    plan = compiled(WINDOW, ColorJitter(brightness=0.3, hue=0.1), ColorJitter(hue=(0, 0.2)), NORMALIZE)
    assert plan.describe() == (
        "warp: RandomResizedCrop -> 224x224",
        "colour matrix: brightness",
        "hue turn",
        "hue turn",
        "colour matrix: Normalize",
    )


def test_what_does_nothing_is_no_stage():
    assert compiled(WINDOW, ColorJitter()).describe() == ("warp: RandomResizedCrop -> 224x224",)
    plan = compiled(WINDOW, ColorJitter(saturation=0.5, hue=0.5), channels=1)
    assert plan.describe() == ("warp: RandomResizedCrop -> 224x224",)


@pytest.mark.parametrize(
    ("colour", "geometry", "changes", "exchanged"),
    [
        (ColorJitter(contrast=0.3, hue=0.1), RandomHorizontalFlip(), {}, True),
        (ColorJitter(contrast=0.3, hue=0.1), RandomRotate90(), {}, True),
        (ColorJitter(brightness=0.3, saturation=0.3), RandomRotate(), {}, True),
        (ColorJitter(brightness=0.3), RandomRotate(), {"fill": 1}, False),
        (ColorJitter(brightness=0.3), RandomRotate(), {"fill": 1, "border": "reflect"}, True),
        (ColorJitter(contrast=0.3), RandomRotate(), {"border": "reflect"}, False),
        (ColorJitter(hue=0.3), RandomRotate(), {"border": "replicate"}, False),
        (NORMALIZE, RandomRotate(), {}, False),
        (NORMALIZE, RandomRotate(), {"border": "replicate"}, True),
        (Rescale(), RandomRotate(), {}, True),
        (Rescale(offset=-1), RandomRotate(), {}, False),
    ],
)
def test_geometry_goes_first_only_where_that_is_exact(colour, geometry, changes, exchanged):
    plan = compiled(WINDOW, colour, geometry, **changes)
    assert plan.describe()[0].startswith(f"warp: RandomResizedCrop + {type(geometry).__name__}") == exchanged


def test_geometry_keeps_its_order():
    plan = compiled(ColorJitter(contrast=0.5), Resize(size=(8, 8)), Rescale(), RandomVerticalFlip())
    assert plan.describe() == (
        "colour matrix: contrast",
        "warp: Resize + RandomVerticalFlip -> 8x8",
        "colour matrix: Rescale",
    )


CROPS = st.sampled_from(
    [CentralCrop(size=(20, 17)), RandomCrop(size=(19, 25), padding=3), RandomCrop(size=(15, 15), p=0.5)]
)
OTHERS = st.sampled_from(
    [
        RandomHorizontalFlip(),
        RandomFlip(mode="horizontal_and_vertical", p=0.8),
        RandomRotate90(turns=(0, 2)),
        RandomVerticalFlip(p=0.7),
        ColorJitter(brightness=0.5, p=0.6),
        ColorJitter(saturation=0.5, contrast=0.4),
        ColorJitter(contrast=(0.2, 2)),
        Rescale(scale=0.5, p=0.5),
        Rescale(offset=10),
        Normalize(mean=0.5, std=0.1),
    ]
)


@settings(max_examples=60, deadline=None)
@given(
    before=st.lists(OTHERS, max_size=4),
    crops=st.lists(CROPS, max_size=1),
    after=st.lists(OTHERS, max_size=4),
    border=st.sampled_from(["constant", "reflect", "replicate", "wrap"]),
    fill=st.sampled_from([0, 90]),
)
def test_a_plan_of_copies_and_colours_equals_the_list(before, crops, after, border, fill, photos_crop):
    """Copies of pixels resample nothing, so the merged plan has no excuse. (A second crop could show what the
    first one cut off.)"""
    operations = [*before, *crops, *after]
    plan = compiled(*operations, border=border, fill=fill, native_size=(21, 18), seed=5)
    results = OpenCVBackend(plan, 0).batch([photos_crop] * 3, np.arange(3), 2).permute(0, 2, 3, 1).numpy()
    for index, result in enumerate(results):
        expected = one_by_one(photos_crop, operations, index, 2, 5, border=border, fill=fill)
        np.testing.assert_allclose(result, expected, atol=2e-3, rtol=1e-4)


@pytest.fixture(scope="module")
def photos_crop(photos):
    return photos["china"][200:221, 300:318]


@pytest.mark.parametrize(
    "operations",
    [
        (NORMALIZE,),
        (Resize(size=(64, 64), mode="shortest"),),
        (CentralCrop(fraction=0.5),),
        (Resize(size=(64, 64), p=0.5),),
        (Resize(size=(64, 32)), RandomRotate90()),
        (Resize(size=(64, 32)), RandomRotate90(turns=(1,), p=0.5)),
        (WINDOW, CentralCrop(size=(200, 200), p=0.5)),
    ],
)
def test_a_list_without_one_final_size_is_refused_with_the_remedy(operations):
    with pytest.raises(ConfigError, match=r"augment\.train: .*add RandomResizedCrop, or Resize"):
        compiled(*operations)


@pytest.mark.parametrize(
    ("operations", "size"),
    [
        ((RandomRotate(),), (8, 9)),
        ((RandomRotate90(turns=(1, 3)),), (9, 8)),
        ((CentralCrop(fraction=0.5),), (4, 4)),
        ((Resize(size=(64, 64), mode="shortest"),), (64, 72)),
        ((Resize(size=(8, 9), p=0.5),), (8, 9)),
        ((RandomCrop(size=(5, 5), p=0.5), RandomRotate90()), (5, 5)),
        ((Resize(size=(64, 32)), RandomRotate90(turns=(0, 2))), (64, 32)),
        ((Translate(), RandomPerspective()), (8, 9)),
    ],
)
def test_the_final_size_is_known(operations, size):
    plan = compiled(*operations, native_size=(8, 9))
    assert plan.output_size == size
    image = np.zeros((8, 9, 3), np.uint8)
    assert OpenCVBackend(plan, 0).batch([image], np.array([0]), 0).shape == (1, 3, *size)


def test_normalize_with_another_number_of_channels_is_refused():
    with pytest.raises(ConfigError, match=r"Normalize\.mean has 3 values, but images have 1 channel"):
        compiled(WINDOW, NORMALIZE, channels=1)


def test_the_same_operation_twice_draws_twice():
    plan = compiled(RandomHorizontalFlip(), RandomHorizontalFlip(), native_size=(4, 4))
    (drawn,) = plan.draw(np.arange(64), 0, np.tile([4, 4], (64, 1)))
    assert set(np.unique(drawn.warp.matrices[:, 0, 0])) == {-1, 1}


def test_draws_depend_on_seed_and_epoch():
    sizes = np.tile([32, 32], (4, 1))
    first, second, third = (
        compiled(RandomRotate(), native_size=(32, 32), seed=seed).draw(np.arange(4), epoch, sizes)[0].warp.matrices
        for seed, epoch in ((0, 0), (0, 1), (1, 0))
    )
    assert not np.isclose(first[:, 0, 1], second[:, 0, 1]).any()
    assert not np.isclose(first[:, 0, 1], third[:, 0, 1]).any()


def test_a_contrast_before_a_warp_takes_images_of_any_size(photos):
    images = [photos["china"][:50, :60], photos["flower"][:40, :90]]
    plan = compiled(ColorJitter(contrast=(0, 0)), Resize(size=(24, 24)))
    result = OpenCVBackend(plan, 0).batch(images, np.arange(2), 0)
    greys = [image.reshape(-1, 3).mean(axis=0) @ [0.299, 0.587, 0.114] for image in images]
    expected = torch.tensor(np.array(greys))[:, None, None, None].expand(2, 3, 24, 24).float()
    torch.testing.assert_close(result, expected, rtol=1e-4, atol=0)


def test_a_flip_stays_behind_colour_where_it_would_be_a_warp_of_its_own():
    operations = (
        Resize(size=(8, 8), interpolation="nearest"),
        ColorJitter(contrast=0.5),
        RandomHorizontalFlip(),
        RandomRotate(),
    )
    described = compiled(*operations).describe()
    assert [line.partition(":")[0] for line in described] == ["Resize", "colour matrix", "warp"]
