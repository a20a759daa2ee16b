import math

import numpy as np
import pytest
from PIL import Image

from vernier.augment.preprocess import compile_preprocessing
from vernier.config.augment import Normalize, Resize
from vernier.config.data import DataConfig
from vernier.config.evaluate import EvaluateConfig
from vernier.config.root import Config
from vernier.data.sources import open_source
from vernier.deploy.quantize.calibration import open_calibration
from vernier.deploy.quantize.cost import Cost
from vernier.deploy.quantize.gate import Drop, open_images, run_models
from vernier.errors import DataError
from vernier.models.task import make_task

CLASSES = ("china", "flower")
EVALUATE = EvaluateConfig()


class Linear:
    """Logits that are linear in an image's mean colour; some images may be told wrongly."""

    def __init__(self, weights: np.ndarray, wrong_every: int = 0) -> None:
        self.weights, self.wrong_every = weights, wrong_every
        self.seen = 0

    def logits(self, images, indices, *, batch_size, threads):
        values = np.stack([images[index].mean(axis=(0, 1)) @ self.weights for index in indices]).astype(np.float32)
        numbers = np.arange(self.seen, self.seen + len(values))
        self.seen += len(values)
        if self.wrong_every:
            values[numbers % self.wrong_every == 0] *= -1
        return values


def _preprocessing():
    operations = [Resize(size=16), Normalize(mean=0.5, std=0.5)]
    return compile_preprocessing(operations, channels=3, fill=0, interpolation="bilinear")


def _part(folder, split="val", **data):
    config = DataConfig(source=str(folder), threads=1, **data)
    task = make_task("multiclass", CLASSES)
    return open_images(folder, config, task, _preprocessing(), split=split, open_data=open_source), config


def _weights() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((3, 2))


def test_drop_agreement_and_mcnemar_are_those_of_the_decisions(class_folders):
    part, data = _part(class_folders)
    exact, rounded = Linear(_weights()), Linear(_weights(), wrong_every=2)
    task = make_task("multiclass", CLASSES)
    found = run_models({"float": exact, "int8": rounded}, part, task, data, EVALUATE)
    assert found.n == len(part.positions)
    assert found.which == f"{found.n} validation images of photos"
    float_right, int8_right = (found.measures[name].values["accuracy"] for name in ("float", "int8"))
    assert found.drop.points == pytest.approx(100 * (float_right - int8_right))
    assert found.drop.low <= found.drop.points <= found.drop.high
    assert found.agreement == {"float": 1.0, "int8": pytest.approx(math.floor(found.n / 2) / found.n)}
    assert found.drop.only_float - found.drop.only_int8 == round(found.n * found.drop.points / 100)


def test_equal_models_lose_nothing(class_folders):
    part, data = _part(class_folders)
    models = {name: Linear(_weights()) for name in ("float", "onnx", "int8")}
    found = run_models(models, part, make_task("multiclass", CLASSES), data, EVALUATE)
    assert (found.drop.points, found.drop.low, found.drop.high, found.drop.p) == (0, 0, 0, 1)
    assert str(found.drop.points) == "0.0"
    assert found.drop.within(0.0)
    assert set(found.agreement.values()) == {1.0}


def test_several_labels_count_as_right_only_together(class_folders, tmp_path):
    keys = sorted(path.relative_to(class_folders).as_posix() for path in class_folders.rglob("*.jpg"))
    rows = [f"{key},{'china|flower' if number % 2 else 'china'}" for number, key in enumerate(keys)]
    (tmp_path / "list.csv").write_text("path,label\n" + "\n".join(rows) + "\n")
    data = DataConfig(source=str(tmp_path / "list.csv"), root=str(class_folders), task="multilabel", threads=1)
    task = make_task("multilabel", CLASSES)
    part = open_images(tmp_path, data, task, _preprocessing(), split="val", open_data=open_source)
    found = run_models({"float": Linear(_weights()), "int8": Linear(-_weights())}, part, task, data, EVALUATE)
    assert found.drop.measure == "exact_match"
    values = [found.measures[name].values["exact_match"] for name in ("float", "int8")]
    assert found.drop.points == pytest.approx(100 * (values[0] - values[1]))
    assert found.agreement["int8"] < 1


@pytest.mark.parametrize("split", ["train", "all", "validation"])
def test_what_calibrates_can_not_decide(class_folders, split):
    with pytest.raises(DataError, match=f"split={split}: choose test or val; training images calibrate"):
        _part(class_folders, split)


def test_no_image_calibrates_and_decides(class_folders):
    for split in (None, "val"):
        part, data = _part(class_folders, split)
        assert part.part == "val"
        config = Config(data=data)
        calibration = open_calibration(class_folders, config, _preprocessing(), make_task("multiclass", CLASSES))
        assert calibration.n + len(part.positions) == 24
        decoded = {np.asarray(part.source.images.read(int(position))).tobytes() for position in part.positions}
        assert len(decoded) == len(part.positions)


def test_the_test_set_decides_where_there_is_one(class_folders):
    for split in ("train", "test"):
        for name in CLASSES:
            (class_folders / split / name).mkdir(parents=True)
    for name in CLASSES:
        for number, file in enumerate(sorted((class_folders / name).glob("*.jpg"))):
            file.rename(class_folders / ("test" if number < 4 else "train") / name / file.name)
        (class_folders / name).rmdir()
    part, _ = _part(class_folders, None)
    assert (part.part, len(part.positions)) == ("test", 8)


def test_unreadable_images_stop_it_or_are_left_out(class_folders):
    part, data = _part(class_folders)
    broken = class_folders / part.source.images.key(int(part.positions[0]))
    broken.write_bytes(b"no image")
    task, models = make_task("multiclass", CLASSES), {"float": Linear(_weights()), "int8": Linear(_weights())}
    with pytest.raises(DataError, match=broken.name):
        run_models(models, part, task, data, EVALUATE)
    skipping = data.model_copy(update={"on_bad_image": "skip"})
    assert run_models(models, part, task, skipping, EVALUATE).n == len(part.positions) - 1


def test_many_images_are_decoded_in_parts(class_folders):
    for number in range(400):
        shade = np.full((8, 8, 3), number % 256, np.uint8)
        Image.fromarray(shade).save(class_folders / CLASSES[number % 2] / f"more_{number}.png")
    part, data = _part(class_folders)
    sizes = []

    class Noting(Linear):
        def logits(self, images, indices, *, batch_size, threads):
            sizes.append(len(images))
            return super().logits(images, indices, batch_size=batch_size, threads=threads)

    models = {"float": Noting(_weights()), "int8": Linear(_weights())}
    found = run_models(models, part, make_task("multiclass", CLASSES), data, EVALUATE)
    assert sum(sizes) == found.n > max(sizes) == 64


def test_a_limit_is_in_points_and_rounding_does_not_break_it():
    drop = Drop("accuracy", 100 * (0.9 - 0.89), 0.0, 2.0, 0.5, 1, 0)
    assert drop.within(1.0)
    assert not drop.within(0.9)
    assert drop.within(None)


def test_costs_without_a_measurement_are_null():
    values = Cost(10).to_json()
    assert values == {
        "bytes": 10,
        "latency_ms_p50": None,
        "latency_ms_p95": None,
        "ram_bytes": None,
        "flash_bytes": None,
    }
