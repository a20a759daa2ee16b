"""Checks of mixing, of images that grow and of borders."""

import pytest

from vernier.config.augment import ProgressiveConfig
from vernier.config.loading import load_config
from vernier.errors import ConfigError

SIZES = "augment.progressive.sizes=[4,6,8]"


@pytest.mark.parametrize(
    "settings",
    [
        ("augment.mix.mixup=0.2",),
        ("augment.mix.cutmix=1", "augment.mix.off_for_last=9.5ep"),
        ("augment.mix.cutmix=1", "augment.mix.off_for_last=99%", "train.cache_features=auto"),
        ("augment.mix.cutmix=1", "augment.mix.off_for_last=20ep", "train.fast_dev_run=true"),
        (SIZES, "model.input_size=8", "train.compile=false"),
        (SIZES, "train.epochs=3", "augment.progressive.portions=[1,1/2,3/4]"),
        (SIZES, "train.epochs=1", "train.fast_dev_run=true"),
        ("augment.progressive.sizes=[[4,8],8]",),
        ("augment.train=[{RandomRotate: {fill: [0, 255]}}, {Translate: {border: edge}}]",),
        ("augment.border=wrap", "augment.train=[{Pad: {border: constant, fill: 9}}]"),
        ("augment.border=wrap", "augment.eval=[{Resize: {mode: letterbox, fill: 9}}]"),
    ],
)
def test_what_is_right_is_let_through(settings):
    load_config(None, ("data=digits", *settings))


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        (
            ("augment.mix.p=0.5",),
            "augment.mix.mixup: is 0 and so is augment.mix.cutmix: nothing is mixed; set one of them, such as "
            "augment.mix.mixup=0.2",
        ),
        (("augment.mix.mixup=1", "augment.mix.p=0"), "augment.mix.p: must be a number, above 0 and at most 1; got 0"),
        (
            ("augment.mix.mixup=1", "augment.mix.off_for_last=10ep"),
            "augment.mix.off_for_last: leaves no epoch to mix in (train.epochs=10); got 10ep; shorten it, or leave "
            "augment.mix out",
        ),
        (
            ("augment.mix.mixup=1", "augment.mix.off_for_last=3st"),
            "augment.mix.off_for_last: must be in epochs or in % of the training, such as 5ep or 10%; got 3st",
        ),
        (
            ("augment.train=[{Clip: {low: 3, high: 2}}]",),
            "augment.train[0].low: must not be above augment.train[0].high (2); got 3",
        ),
        (
            ("augment.train=[{Resize: {fill: 3}}]",),
            "augment.train[0].fill: is for mode letterbox, and mode fit shows no border; leave it out",
        ),
        (
            ("augment.border=wrap", "augment.train=[RandomFlip, {RandomRotate: {fill: 3}}]"),
            "augment.train[1].fill: is for border constant, and the border is wrap; leave it out, or set "
            "augment.train[1].border=constant",
        ),
        (
            ("augment.eval=[{Resize: {mode: letterbox, fill: [0, 255]}}]",),
            "augment.eval[0].fill: evaluation has one value; got [0, 255]; give one number",
        ),
        (
            ("augment.eval=[{CentralCrop: {border: wrap}}]",),
            "augment.eval[0].border: evaluation has a constant border; got wrap; leave it out",
        ),
        (
            ("augment.eval=[{Resize: {mode: letterbox, fill: 3}}, {CentralCrop: {fill: 4}}]",),
            "augment.eval[1].fill: evaluation has one value, and augment.eval[0].fill is 3; got 4; leave one of them "
            "out",
        ),
        (
            ("augment.progressive.sizes=[8]",),
            "augment.progressive.sizes: needs two sizes or more; got 8x8; leave augment.progressive out",
        ),
        (
            ("augment.progressive.sizes=[8,4]",),
            "augment.progressive.sizes: must grow, the last being model.input_size; got 8x8, 4x4",
        ),
        (
            (SIZES, "model.input_size=16"),
            "augment.progressive.sizes: must end with model.input_size (16x16); got 4x4, 6x6, 8x8",
        ),
        (
            (SIZES, "train.epochs=2"),
            "augment.progressive.sizes: has more sizes than there are epochs (train.epochs=2); got 4x4, 6x6, 8x8",
        ),
        (
            (SIZES, "augment.progressive.portions=[1,1]"),
            "augment.progressive.portions: needs one for each of the 3 sizes; got 2",
        ),
        (
            (SIZES, "augment.progressive.portions=[1,30,30]"),
            "augment.progressive.portions: leaves no epoch for 4x4 of train.epochs=10; give it more",
        ),
        (
            (SIZES, "train.compile=true"),
            "train.compile: true is for images of one size, and augment.progressive has several; leave one of them out",
        ),
        (
            ("augment.mix.mixup=1", "train.cache_features=true"),
            "train.cache_features: true excludes augment.mix, which makes other images of them; leave one of them out",
        ),
    ],
)
def test_what_is_wrong_is_said(settings, problem):
    with pytest.raises(ConfigError) as caught:
        load_config(None, ("data=digits", *settings))
    assert f"  {problem}" in str(caught.value).splitlines()


@pytest.mark.parametrize(
    ("portions", "epochs", "ends"),
    [
        (None, 3, (1, 2, 3)),
        (None, 10, (3, 7, 10)),
        ((1, 1, 2), 8, (2, 4, 8)),
        ((0.25, 0.25, 0.5), 8, (2, 4, 8)),
        ((1, 2, 30), 10, (0, 1, 10)),
    ],
)
def test_the_last_size_ends_with_the_training(portions, epochs, ends):
    config = ProgressiveConfig(sizes=((4, 4), (6, 6), (8, 8)), portions=portions)
    assert config.ends(epochs) == ends


@pytest.mark.parametrize("sizes", range(2, 12))
def test_equal_portions_leave_no_size_out(sizes):
    config = ProgressiveConfig(sizes=tuple((n, n) for n in range(1, sizes + 1)))
    for epochs in range(sizes, 100):
        ends = config.ends(epochs)
        assert len({0, *ends}) == sizes + 1
        assert ends[-1] == epochs
