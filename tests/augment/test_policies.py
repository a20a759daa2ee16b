"""Policies against torchvision's."""

import numpy as np
import pytest
import torch
from pixel_runs import assert_chance_is_pure, effect, run
from torchvision.transforms import InterpolationMode, v2

from vernier.augment.pixel.policies import AUG_MIX, AUG_MIX_OF_THE_PAPER, RAND_AUGMENT, TRIVIAL_AUGMENT, drawn
from vernier.augment.pixel.policy_operations import COLOURS, WARPS, Frame, change
from vernier.config.loading import load_config
from vernier.config.operations.policies import AugMix, RandAugment, TrivialAugment
from vernier.errors import ConfigError

SPACES = {
    "RandAugment": (RAND_AUGMENT, v2.RandAugment._AUGMENTATION_SPACE, 31),
    "TrivialAugment": (TRIVIAL_AUGMENT, v2.TrivialAugmentWide._AUGMENTATION_SPACE, 31),
    "AugMix": (AUG_MIX, v2.AugMix._AUGMENTATION_SPACE, 10),
    "AugMix of the paper": (AUG_MIX_OF_THE_PAPER, v2.AugMix._PARTIAL_AUGMENTATION_SPACE, 10),
}
MAGNITUDES = {
    "Identity": (0,), "ShearX": (0.3, -0.23), "ShearY": (0.99, -0.17), "TranslateX": (7.9, -9.9),
    "TranslateY": (5, -3), "Rotate": (30, -100), "Brightness": (0.5, -0.7), "Color": (0.9, -0.9),
    "Contrast": (0.9, -0.9), "Sharpness": (0.9, -0.9), "Posterize": (8, 4, 0), "Solarize": (1, 0.37, 0),
    "AutoContrast": (0,), "Equalize": (0,),
}  # fmt: skip


def theirs(image: np.ndarray, name: str, magnitude: float, interpolation: str = "bilinear") -> np.ndarray:
    policy = v2.RandAugment(interpolation=InterpolationMode(interpolation), fill=7)
    planes = torch.tensor(image).permute(2, 0, 1)
    changed = policy._apply_image_or_video_transform(planes, name, magnitude, policy.interpolation, policy._fill)
    return changed.permute(1, 2, 0).numpy()


@pytest.fixture(scope="module")
def pieces(photos):
    """A photo, a dark one, a grey one and one of two colours."""
    photo = np.ascontiguousarray(photos["china"][::4, ::4][:90, :120])
    flat = np.zeros((90, 120, 3), np.uint8)
    flat[:, 60:] = (200, 3, 90)
    return {"photo": photo, "dark": photo // 3 + 40, "grey": photo[..., :1].copy(), "flat": flat}


@pytest.mark.parametrize("policy", SPACES)
def test_operations_and_magnitudes_are_torchvisions(policy):
    space, expected, bins = SPACES[policy]
    assert list(space) == list(expected)
    for name, (function, signed) in expected.items():
        magnitudes = [space[name](number / (bins - 1), 90, 120) for number in range(bins)]
        wanted = function(bins, 90, 120)
        assert np.allclose(magnitudes, 0 if wanted is None else wanted, atol=1e-5)
        sides = {
            np.sign(drawn(space, list(space).index(name) / len(space), 1, sign, 90, 120)[1]) for sign in (0.3, 0.7)
        }
        assert (sides == {-1, 1}) == signed


@pytest.mark.parametrize("piece", ["photo", "dark", "grey", "flat"])
@pytest.mark.parametrize("name", COLOURS)
def test_colour_operations_against_torchvision(name, piece, pieces):
    # torchvision cuts off what is rounded here, once more for the grey that Color blends with.
    tolerance = {"Color": 2, "Posterize": 0, "Solarize": 0, "Equalize": 0, "Identity": 0}.get(name, 1)
    for magnitude in MAGNITUDES[name]:
        image = pieces[piece].copy()
        ours = change(name, magnitude, image, Frame(7, "bilinear"))
        assert np.array_equal(image, pieces[piece]), "images are only read"
        assert ours.dtype == np.uint8
        assert np.abs(theirs(image, name, magnitude) - ours.astype(int)).max() <= tolerance


@pytest.mark.parametrize("piece", ["photo", "grey"])
@pytest.mark.parametrize("name", WARPS)
def test_warps_against_torchvision(name, piece, pieces):
    image = pieces[piece]
    for magnitude in MAGNITUDES[name]:
        ours, expected = change(name, magnitude, image, Frame(7, "bilinear")), theirs(image, name, magnitude)
        # Along the border torchvision counts the fill twice.
        inside = change(name, magnitude, np.full_like(image, 255), Frame(0, "bilinear")) == 255
        outside = change(name, magnitude, np.full_like(image, 255), Frame(0, "bilinear")) == 0
        assert inside.mean() > 0.3
        assert np.abs(expected - ours.astype(int))[inside].max() <= 1
        assert (ours[outside] == 7).all()
        nearest = change(name, magnitude, image, Frame(7, "nearest")) != theirs(image, name, magnitude, "nearest")
        assert nearest.mean() < 0.002


@pytest.mark.parametrize("operation", [RandAugment(), TrivialAugment(), AugMix()], ids=lambda operation: operation.name)
@pytest.mark.parametrize("channels", [1, 3])
def test_chance_is_pure(operation, channels):
    assert_chance_is_pure(operation, channels)


def test_every_operation_is_drawn_alike():
    u = np.random.default_rng(0).random((14000, 2))
    draws = [drawn(RAND_AUGMENT, which, 0.3, sign, 90, 120) for which, sign in u]
    counts = {name: sum(drawn == name for drawn, _ in draws) for name in RAND_AUGMENT}
    assert all(abs(count - 1000) < 120 for count in counts.values())
    turned = [magnitude for name, magnitude in draws if name == "Rotate"]
    assert set(np.round(turned, 9)) == {-9.0, 9.0}
    assert abs(sum(magnitude < 0 for magnitude in turned) - len(turned) / 2) < 60


@pytest.mark.parametrize(
    ("ours", "policy"),
    [
        (RandAugment(magnitude=20), v2.RandAugment(magnitude=20, interpolation=InterpolationMode.BILINEAR)),
        (TrivialAugment(), v2.TrivialAugmentWide(interpolation=InterpolationMode.BILINEAR)),
        (AugMix(severity=8), v2.AugMix(severity=8)),
        (AugMix(severity=8, mixture_width=1, chain_depth=2, alpha=4.0, all_ops=False),
         v2.AugMix(severity=8, mixture_width=1, chain_depth=2, alpha=4.0, all_ops=False)),
    ],
    ids=["RandAugment", "TrivialAugment", "AugMix", "AugMix of one chain"],
)  # fmt: skip
def test_images_are_on_average_what_torchvision_makes_of_them(ours, policy, pieces):
    image, count = pieces["photo"][::6, ::6], 300
    torch.manual_seed(0)
    planes = torch.tensor(image.copy()).permute(2, 0, 1)
    expected = torch.stack([policy(planes) for _ in range(count)]).permute(0, 2, 3, 1).numpy().astype(float)
    results = run(ours, [np.ascontiguousarray(image)] * count)
    error = 4 * np.hypot(expected.std(axis=0), results.std(axis=0)) / np.sqrt(count) + 1
    assert (np.abs(results.mean(axis=0) - expected.mean(axis=0)) < error).mean() > 0.99
    assert results.std(axis=0).mean() == pytest.approx(expected.std(axis=0).mean(), rel=0.12)


def test_rand_augment_does_as_many_operations_as_it_is_told(pieces):
    image = pieces["photo"]
    distances = [
        np.mean(
            [np.abs(effect(RandAugment(num_ops=number), image, key) - image.astype(float)).mean() for key in range(25)]
        )
        for number in (1, 2, 4)
    ]
    assert distances == sorted(distances)


def test_aug_mix_keeps_fractions_and_ranges(pieces):
    mixed = np.stack([effect(AugMix(), pieces["photo"], key) for key in range(10)])
    assert mixed.dtype == np.float32
    assert mixed.min() >= 0
    assert mixed.max() <= 255.01
    assert np.abs(mixed - np.rint(mixed)).max() > 0.1


def test_floats_are_rounded_first(pieces):
    image = pieces["photo"]
    for operation in (RandAugment(), TrivialAugment(), AugMix()):
        assert np.array_equal(effect(operation, image.astype(np.float32) + 0.3, 4), effect(operation, image, 4))


def test_a_magnitude_beyond_the_bins_is_refused():
    with pytest.raises(ConfigError) as error:
        load_config(None, ("data=digits", "augment.train=[{name: RandAugment, magnitude: 31}]"))
    assert "augment.train[0].magnitude: must be below num_magnitude_bins (31); got 31" in str(error.value)
