from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from vernier.augment.preprocess import compile_preprocessing
from vernier.config.augment import Normalize, Resize
from vernier.deploy.explain.overlays import open_explainer, picture_files, write_overlays
from vernier.errors import ModelError
from vernier.models.architecture import Architecture
from vernier.models.bundle import BundleInfo, save_bundle
from vernier.models.providers import build_model

CLASSES = ("flower", "china", "rose")


@pytest.fixture
def bundle(tmp_path) -> Path:
    torch.manual_seed(0)
    architecture = Architecture("zoo", "digits_cnn", {}, 3, 3, (32, 32))
    operations = [Resize(size=32, mode="crop"), Normalize(mean=0.5, std=0.5)]
    preprocessing = compile_preprocessing(operations, channels=3, fill=0, interpolation="bilinear")
    info = BundleInfo(architecture, CLASSES, "multiclass", preprocessing.to_json(), 0.5, None, {}, {})
    save_bundle(tmp_path / "bundle", build_model(architecture), info)
    return tmp_path / "bundle"


def test_pictures_in_the_images_folders_and_of_their_size(bundle, class_folders, tmp_path):
    images = [str(path) for path in sorted(class_folders.glob("*/*.jpg"))[::8]]
    text = class_folders / "china" / "text.jpg"
    text.write_text("hello")
    written = write_overlays(bundle, [images[0], str(text), *images[1:]], tmp_path / "out")
    assert [str(path.relative_to(tmp_path / "out")) for path in written] == [
        str(Path(path).relative_to(class_folders)) for path in images
    ]
    for path, picture in zip(images, written, strict=True):
        image, overlay = (np.array(Image.open(file), dtype=float) for file in (path, picture))
        assert overlay.shape == image.shape
        cut = (image.shape[1] - image.shape[0]) // 2
        changed = np.abs(overlay - image).mean(axis=(0, 2))
        assert changed[20:-20].mean() > 15
        # The network saw the square in the middle; what it did not see is as it was, but for JPEG.
        if cut >= 16:
            assert changed[: cut - 8].mean() < 4
            assert changed[8 - cut :].mean() < 4


def test_the_answer_is_explained_unless_a_class_is_named(bundle, photos):
    photo = photos["flower"][::4, ::4]
    answer = open_explainer(bundle)
    heats = [open_explainer(bundle, name).heat(photo) for name in CLASSES]
    logits = answer.classifier.logits([photo], [0], batch_size=1, threads=0)
    np.testing.assert_array_equal(answer.heat(photo), heats[int(logits.argmax())])
    assert not np.array_equal(heats[0], heats[1])
    assert all(heat.min() >= 0 and heat.max() in (0, 1) for heat in heats)


def test_forty_percent_of_a_colour_lie_over_sixty_of_the_image(bundle, photos):
    explainer = open_explainer(bundle)
    photo = photos["china"][:200:4, :200:4]
    heat = cv2.resize(explainer.heat(photo), (50, 50), interpolation=cv2.INTER_LINEAR)
    colours = cv2.applyColorMap(np.rint(255 * heat).astype(np.uint8), cv2.COLORMAP_TURBO)[:, :, ::-1]
    expected = 0.6 * photo + 0.4 * colours
    difference = np.abs(explainer.overlay(photo) - expected)
    # The last bit of the heat may fall to either colour.
    assert difference.max() < 5
    assert np.median(difference) <= 0.5


def test_a_class_or_layer_that_is_not_there(bundle, class_folders, tmp_path):
    images = [str(next(class_folders.glob("*/*.jpg")))]
    with pytest.raises(ModelError, match=r"explain-class=chin: .* Did you mean 'china'"):
        write_overlays(bundle, images, tmp_path / "out", "chin")
    with pytest.raises(ModelError, match="explain-layer=zzz: there is no such layer"):
        write_overlays(bundle, images, tmp_path / "out", layer="zzz")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (["a/x.jpg", "a/b/y.png"], ["x.jpg", "b/y.jpg"]),
        (["a/x.jpg", "a/x.png"], ["x.jpg.jpg", "x.png.jpg"]),
        (["x.tif"], ["x.jpg"]),
        (["a/x.jpg", "b/x.jpg"], ["a/x.jpg", "b/x.jpg"]),
        ([], []),
    ],
)
def test_names_of_pictures(paths, expected):
    assert picture_files(paths, Path("out")) == [Path("out") / name for name in expected]
