"""Mixing against the papers' formulas in float64, and its draws against SciPy's distribution."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from vernier.augment.buffers import Recycler
from vernier.augment.mix import CutMix, Mixer, Mixing, Mixup, mixed_batches, symmetric_beta
from vernier.augment.randomness import uniform
from vernier.config.augment import MixConfig

SMALL_OR_LARGE = [(7, 3, 8, 8), (5, 1, 9, 4), (3, 3, 300, 310)]
"""Images of the last are mixed one by one, as a piece of more does not fit the cache."""


def mixer(**fields) -> Mixer:
    return Mixer(MixConfig(**fields), seed=3, mixed_batches=10**9, batches_per_epoch=100, allocate=Recycler().take)


def draws(count=400, batch_size=16, **fields) -> list[Mixing | None]:
    return [mixer(**fields).draw(epoch, number, batch_size) for epoch in range(count // 100) for number in range(100)]


def images_of(shape) -> torch.Tensor:
    count, channels, height, width = shape
    pixels = np.random.default_rng(0).normal(size=(count, height, width, channels)).astype(np.float32)
    return torch.from_numpy(pixels).permute(0, 3, 1, 2)


@pytest.mark.parametrize("alpha", [0.2, 0.4, 1.0, 2.5, 30.0, 1e4])
def test_shares_have_a_symmetric_beta_distribution(alpha):
    u = uniform(1, 0, np.arange(20_000), "test", 2)
    shares = [symmetric_beta(alpha, *row) for row in u.tolist()]
    assert stats.kstest(shares, stats.beta(alpha, alpha).cdf).pvalue > 0.01


@given(
    st.floats(0, allow_infinity=False, exclude_min=True),
    st.floats(0, 1, exclude_max=True),
    st.floats(0, 1, exclude_max=True),
)
def test_a_share_is_a_share_whatever_alpha_is(alpha, first, second):
    assert 0 <= symmetric_beta(alpha, first, second) <= 1


@pytest.mark.parametrize("shape", SMALL_OR_LARGE)
@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_mixup_is_the_weighted_mean(shape, share):
    images, partners = images_of(shape), np.random.default_rng(1).permutation(shape[0])
    pixels = images.double().numpy()
    expected = share * pixels + (1 - share) * pixels[partners]
    mixed, own = Mixup(partners, share).apply(images, partners, Recycler().take)
    assert own == share
    assert mixed.is_contiguous(memory_format=torch.channels_last)
    np.testing.assert_allclose(mixed.numpy(), expected, atol=1e-6)


def cutmix_of_the_paper(pixels, partners, share, centre):
    """The box of Yun et al. 2019, Appendix A, pixel by pixel."""
    height, width = pixels.shape[2:]
    mixed, own = pixels.copy(), np.ones((height, width))
    box_height, box_width = (round(side * (1 - share) ** 0.5) for side in (height, width))
    for row in range(height):
        for column in range(width):
            down = row - (int(centre[0] * height) - box_height // 2)
            across = column - (int(centre[1] * width) - box_width // 2)
            if 0 <= down < box_height and 0 <= across < box_width:
                mixed[:, :, row, column] = pixels[partners, :, row, column]
                own[row, column] = 0
    return mixed, own.mean()


@settings(deadline=None, max_examples=60)
@given(
    shape=st.sampled_from(SMALL_OR_LARGE[:2]),
    share=st.floats(0, 1),
    centre=st.tuples(*[st.floats(0, 1, exclude_max=True)] * 2),
)
def test_cutmix_cuts_the_box_at_the_border_and_corrects_the_share(shape, share, centre):
    images, partners = images_of(shape), np.random.default_rng(1).permutation(shape[0])
    expected, own = cutmix_of_the_paper(images.numpy(), partners, share, centre)
    mixed, corrected = CutMix(partners, share, centre).apply(images, partners, Recycler().take)
    assert np.array_equal(mixed.numpy(), expected)
    assert corrected == pytest.approx(own)


@pytest.mark.parametrize("mixing", [Mixup, lambda partners, share: CutMix(partners, share, (0.3, 0.9))])
def test_only_the_first_images_are_mixed_and_others_may_be_their_partners(mixing):
    images = images_of((6, 3, 8, 8))
    partners = np.array([4, 0, 5])
    whole, _ = mixing(partners, 0.6).apply(images.clone(), np.array([4, 0, 5, 1, 2, 3]), Recycler().take)
    part, _ = mixing(partners, 0.6).apply(images.clone(), partners, Recycler().take)
    assert torch.equal(part, whole[:3])


@pytest.mark.parametrize("mixing", [Mixup, lambda partners, share: CutMix(partners, share, (0.3, 0.9))])
def test_torch_mixes_as_numpy_does(mixing):
    # Whatever is not float32 on a CPU goes through torch's operators.
    images, partners = images_of((6, 3, 8, 8)).double(), np.array([4, 0, 5, 1, 2, 3])
    expected, share = mixing(partners, 0.6).apply(images.float(), partners, Recycler().take)
    mixed, own = mixing(partners, 0.6).apply(images, partners, Recycler().take)
    assert own == share
    torch.testing.assert_close(mixed, expected.double(), atol=1e-6, rtol=0)


def test_a_draw_depends_on_epoch_and_number_alone():
    one, other = mixer(mixup=0.4, cutmix=1), mixer(mixup=0.4, cutmix=1)
    for number in (7, 3, 99):
        first, second = one.draw(5, number, 32), other.draw(5, number, 32)
        assert type(first) is type(second)
        assert first.share == second.share
        assert np.array_equal(first.partners, second.partners)
    shares = {one.draw(epoch, number, 32).share for epoch in range(3) for number in range(3)}
    assert len(shares) == 9


def test_partners_are_a_permutation_that_differs_from_batch_to_batch():
    found = [mixing.partners for mixing in draws(mixup=0.4)]
    assert all(np.array_equal(np.sort(partners), np.arange(16)) for partners in found)
    assert len({partners.tobytes() for partners in found}) == len(found)
    # Each place has each partner equally often, itself as well.
    counts = np.zeros((16, 16))
    for partners in found:
        counts[np.arange(16), partners] += 1
    assert stats.chisquare(counts.ravel()).pvalue > 0.01


def test_p_and_cutmix_share_are_probabilities():
    found = draws(count=2000, mixup=0.4, cutmix=1.0, p=0.7, cutmix_share=0.2)
    mixed = [mixing for mixing in found if mixing is not None]
    assert stats.binomtest(len(mixed), 2000, 0.7).pvalue > 0.01
    assert stats.binomtest(sum(isinstance(m, CutMix) for m in mixed), len(mixed), 0.2).pvalue > 0.01


@pytest.mark.parametrize(("fields", "kind"), [({"mixup": 0.2}, Mixup), ({"cutmix": 1.0}, CutMix)])
def test_one_alone_gets_all_batches(fields, kind):
    assert {type(mixing) for mixing in draws(**fields)} == {kind}


def test_the_own_label_of_mixup_has_the_larger_share():
    shares = np.array([mixing.share for mixing in draws(count=4000, mixup=0.4)])
    assert shares.min() >= 0.5
    # What is left of the distribution when both orders of a pair count as one.
    folded = stats.beta(0.4, 0.4)
    assert stats.kstest(shares, lambda x: 2 * folded.cdf(x) - 1).pvalue > 0.01


def test_a_single_image_and_the_last_batches_are_left_alone():
    config = MixConfig(mixup=0.4)
    few = Mixer(config, seed=0, mixed_batches=15, batches_per_epoch=10, allocate=Recycler().take)
    assert few.draw(0, 0, 1) is None
    assert [few.draw(1, number, 8) is not None for number in range(10)] == [True] * 5 + [False] * 5
    assert few.draw(2, 0, 8) is None


@pytest.mark.parametrize(("off", "expected"), [("0ep", 200), ("1ep", 190), ("2.5ep", 175), ("10%", 180)])
def test_mixing_ends_before_the_training_does(off, expected):
    assert mixed_batches(MixConfig(mixup=0.2, off_for_last=off), total_batches=200, batches_per_epoch=10) == expected
