import cv2
import numpy as np
import pytest

from vernier.augment.preprocess import compile_preprocessing
from vernier.config.augment import CentralCrop, Resize
from vernier.deploy.explain.placement import place_on_image


def _preprocessing(*geometry):
    return compile_preprocessing(geometry, channels=1, fill=0, interpolation="bilinear")


GEOMETRIES = {
    "fit": [Resize(size=(60, 40))],
    "letterbox": [Resize(size=(64, 48), mode="letterbox")],
    "cover": [Resize(size=(50, 50), mode="crop")],
    "shortest": [Resize(size=(64, 64), mode="shortest"), CentralCrop(size=(56, 48))],
    "larger": [Resize(size=(300, 300), mode="crop")],
    "twice": [CentralCrop(size=(80, 90)), Resize(size=(40, 40), mode="letterbox")],
    "padded": [Resize(size=(40, 40), mode="longest"), CentralCrop(size=(50, 60))],
}


@pytest.mark.parametrize("name", GEOMETRIES)
@pytest.mark.parametrize("size", [(100, 150), (120, 90)])
def test_what_was_cut_out_of_an_image_comes_back_to_its_place(name, size):
    preprocessing = _preprocessing(*GEOMETRIES[name])
    for axis in (0, 1):
        ramp = np.broadcast_to(np.expand_dims(np.arange(size[axis]), 1 - axis), size).astype(np.uint8)
        found, seen = place_on_image(preprocessing(ramp[:, :, None])[0], preprocessing, size)
        assert seen.mean() > 0.3
        assert (found[~seen] == 0).all()
        inner = cv2.erode(np.pad(seen, 1).astype(np.uint8), np.ones((13, 13)))[1:-1, 1:-1].astype(bool)
        # An antialiased resize of a ramp is the ramp, but for pixels near the border.
        np.testing.assert_allclose(found[inner], ramp[inner], atol=0.15)


def test_pixels_that_were_cut_off_are_not_seen():
    preprocessing = _preprocessing(Resize(size=(50, 50), mode="crop"))
    _, seen = place_on_image(np.ones((5, 5)), preprocessing, (100, 200))
    assert seen[:, 50:150].all()
    assert not seen[:, :50].any()
    assert not seen[:, 150:].any()


def test_without_a_crop_it_is_a_bilinear_resize():
    values = np.random.default_rng(0).random((7, 5))
    found, seen = place_on_image(values, _preprocessing(Resize(size=(32, 32))), (45, 61))
    assert seen.all()
    expected = cv2.resize(values.astype(np.float32), (61, 45), interpolation=cv2.INTER_LINEAR)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_single_row_of_places():
    found, _ = place_on_image(np.array([[0.0, 1.0]]), _preprocessing(Resize(size=(8, 16))), (8, 16))
    assert (found == found[0]).all()
    assert (found[0, 0], found[0, -1]) == (0, 1)
