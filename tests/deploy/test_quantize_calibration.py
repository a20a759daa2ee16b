"""Which images calibrate: training images, a directory without validation images in it, noise."""

import logging
import shutil
from pathlib import Path

import numpy as np
import pytest

from vernier.augment.preprocess import compile_preprocessing
from vernier.config.augment import Normalize, Resize
from vernier.config.loading import load_config
from vernier.deploy.quantize.calibration import Calibration, open_calibration
from vernier.errors import DataError
from vernier.evaluation.part import Part, open_part
from vernier.models.task import make_task

PREPROCESSING = compile_preprocessing(
    [Resize(size=6), Normalize(mean=0.5, std=0.5)], channels=3, fill=0, interpolation="bilinear"
)


TASK = make_task("multiclass", ("china", "flower"))


def opened(class_folders: Path, *settings: str) -> Calibration:
    config = load_config(None, [f"data={class_folders}", "data.threads=2", *settings]).config
    return open_calibration(class_folders.parent, config, PREPROCESSING, TASK)


def part_of(class_folders: Path, split: str) -> Part:
    config = load_config(None, [f"data={class_folders}"]).config
    return open_part(class_folders.parent, config.data, TASK, PREPROCESSING, split=split)


def images_of(class_folders: Path, split: str) -> list[np.ndarray]:
    part = part_of(class_folders, split)
    return [PREPROCESSING(part.source.images.read(position)) for position in part.positions.tolist()]


def file_of(class_folders: Path, split: str) -> Path:
    part = part_of(class_folders, split)
    file = part.source.images.path(int(part.positions[0]))
    assert file is not None
    return file


def contains(images: list[np.ndarray], image: np.ndarray) -> bool:
    return any(np.array_equal(image, each) for each in images)


@pytest.mark.parametrize("wanted", ["10", "0.5", "300"])
def test_training_images_only(class_folders, wanted):
    train, val = images_of(class_folders, "train"), images_of(class_folders, "val")
    assert not any(contains(train, image) for image in val)
    n = {"10": 10, "0.5": round(0.5 * len(train)), "300": len(train)}[wanted]
    calibration = opened(class_folders, f"quantize.calibration={wanted}")
    batches = list(calibration.batches())
    assert max(map(len, batches)) <= 8
    images = np.concatenate(batches)
    assert len(images) == n == calibration.n
    assert all(contains(train, image) for image in images)
    np.testing.assert_array_equal(np.concatenate(list(calibration.batches())), images)
    assert calibration.to_json() == {
        "source": "train",
        "n": n,
        "description": f"{n} of {len(train)} training images of photos",
    }


def test_the_seed_draws(class_folders):
    drawn = [
        np.concatenate(list(opened(class_folders, "quantize.calibration=8", s).batches())) for s in ("seed=0", "seed=1")
    ]
    assert not np.array_equal(*drawn)


def test_no_training_images(class_folders):
    only = class_folders.parent / "only"
    for split in ("val", "test"):
        shutil.copytree(class_folders, only / split)
    with pytest.raises(DataError, match=r"quantize\.calibration=300 takes training images.*quantize\.calibration=DIR"):
        opened(only)


def test_a_directory(class_folders):
    other = class_folders.parent / "other" / "inner"
    other.mkdir(parents=True)
    shutil.copy(file_of(class_folders, "train"), other / ("a" + file_of(class_folders, "train").suffix))
    calibration = opened(class_folders, f"quantize.calibration={other.parent}")
    assert np.concatenate(list(calibration.batches())).shape == (1, 3, 6, 6)
    assert (calibration.source, calibration.n) == ("directory", 1)
    assert calibration.description == f"1 image below {other.parent}"


def test_a_directory_with_validation_images(class_folders):
    other = class_folders.parent / "other"
    other.mkdir()
    held_out = file_of(class_folders, "val")
    shutil.copy(held_out, other / f"renamed{held_out.suffix}")
    shutil.copy(file_of(class_folders, "train"), other / f"fine{held_out.suffix}")
    with pytest.raises(DataError, match=r"1 image in it, such as .*are validation or test images") as caught:
        opened(class_folders, f"quantize.calibration={other}")
    assert held_out.name in str(caught.value)
    with pytest.raises(DataError, match="are validation or test images"):
        opened(class_folders, f"quantize.calibration={class_folders}")


def test_a_directory_without_images(class_folders):
    empty = class_folders.parent / "empty"
    empty.mkdir()
    for directory in (empty, class_folders.parent / "missing"):
        with pytest.raises(DataError, match=rf"quantize\.calibration={directory}: "):
            opened(class_folders, f"quantize.calibration={directory}")


def test_noise_says_so(class_folders, caplog):
    with caplog.at_level(logging.WARNING, logger="vernier"):
        calibration = opened(class_folders, "quantize.calibration=random")
    assert "ranges come from noise" in caplog.text
    images = np.concatenate(list(calibration.batches()))
    assert images.shape == (64, 3, 6, 6)
    assert (images.min(), images.max()) == pytest.approx((-1, 1), abs=0.02)
    assert abs(images.mean()) < 0.05
    assert calibration.to_json()["source"] == "random"
    assert "noise" in calibration.description


def test_unreadable_images(class_folders):
    damaged, n = file_of(class_folders, "train"), len(images_of(class_folders, "train"))
    damaged.write_bytes(b"no image")
    calibration = opened(class_folders, "quantize.calibration=300")
    with pytest.raises(DataError, match=rf"1 of \d+ images can't be read(.|\n)*{damaged.name}"):
        list(calibration.batches())
    calibration = opened(class_folders, "quantize.calibration=300", "data.on_bad_image=skip")
    assert sum(map(len, calibration.batches())) == calibration.n == n - 1
