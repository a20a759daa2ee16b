"""Keras 3 on TensorFlow: `image_dataset_from_directory`, preprocessing layers in the tf.data map (AUTOTUNE) and `fit`.

Images are resized to 256 x 256 when they are read, as `image_dataset_from_directory` does at its default, and are
cached after it in `epoch` and `transfer`, as Keras' tutorials do. Keras has no RandomResizedCrop layer; random boxes
and `tf.image.crop_and_resize` on the batch stand for it.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from measure import WARM_UP, Job, figures, repeat, run_job

MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
MODELS = {
    "mobilenetv2_100": keras.applications.MobileNetV2,
    "resnet50": keras.applications.ResNet50,
    "efficientnet_b0": keras.applications.EfficientNetB0,
}


class StepClock(keras.callbacks.Callback):
    """Times steps after a warm-up and, where `seconds` is given, ends training when they are over."""

    def __init__(self, seconds: float | None) -> None:
        super().__init__()
        self._limit = seconds
        self._begin = self.seconds = 0.0
        self.steps = -WARM_UP

    def on_train_batch_end(self, batch: int, logs: object = None) -> None:
        self.steps += 1
        now = time.perf_counter()
        if self.steps == 0:
            self._begin = now
        self.seconds = now - self._begin
        if self._limit is not None and self.steps > 0 and self.seconds >= self._limit:
            self.model.stop_training = True


class EpochClock(keras.callbacks.Callback):
    """The wall time of each epoch, validation included."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []

    def on_epoch_begin(self, epoch: int, logs: object = None) -> None:
        self._begin = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: object = None) -> None:
        self.seconds.append(time.perf_counter() - self._begin)


def make_model(name: str) -> keras.Model:
    model = MODELS[name](weights=None, classes=5)
    model.compile(keras.optimizers.SGD(0.01, momentum=0.9), "sparse_categorical_crossentropy")
    return model


def step(job: Job) -> dict[str, float]:
    size, count = job["image_size"], job["batch_size"]
    batch = tf.random.normal((count, size, size, 3)), tf.random.uniform((count,), 0, 5, tf.int32)
    clock = StepClock(job["seconds"])
    make_model(job["model"]).fit(tf.data.Dataset.from_tensors(batch).repeat(), callbacks=[clock], verbose=0)
    return figures(clock.steps * count, clock.seconds)


def random_resized_crop(size: int, smallest: float) -> Callable[[tf.Tensor], tf.Tensor]:
    """Boxes of a random share of the area and aspect ratio, drawn for a batch at once."""

    def crop(images: tf.Tensor) -> tf.Tensor:
        count = tf.shape(images)[0]
        area = tf.random.uniform((count,), smallest, 1)
        ratio = tf.exp(tf.random.uniform((count,), np.log(3 / 4), np.log(4 / 3)))
        sides = tf.minimum(tf.stack([tf.sqrt(area / ratio), tf.sqrt(area * ratio)], 1), 1)
        corner = tf.random.uniform((count, 2)) * (1 - sides)
        boxes = tf.concat([corner, corner + sides], 1)
        return tf.image.crop_and_resize(images, boxes, tf.range(count), (size, size))

    return crop


def heavy_list(size: int) -> list:
    """The heavy list; saturation factors are Keras' x / (1 - x) form of 0.8 and 1.2, rotation is in turns."""
    return [
        random_resized_crop(size, 0.08),
        layers.RandomFlip("horizontal"),
        layers.RandomRotation(15 / 360, fill_mode="constant"),
        layers.RandomPerspective(factor=(0.5, 0.5), scale=0.2),
        layers.RandomColorJitter(
            brightness_factor=0.2, contrast_factor=0.2, saturation_factor=(0.8 / 1.8, 1.2 / 2.2), hue_factor=None
        ),
        layers.Normalization(mean=255 * MEAN, variance=(255 * STD) ** 2),
    ]


def transfer_list(size: int) -> list:
    return [random_resized_crop(size, 0.5), layers.RandomFlip("horizontal"), layers.Rescaling(1 / 127.5, -1)]


def read(directory: Path, batch_size: int) -> tf.data.Dataset:
    return keras.utils.image_dataset_from_directory(directory, batch_size=batch_size, verbose=False)


def augmented(images: tf.data.Dataset, operations: list) -> tf.data.Dataset:
    def apply(batch: tf.Tensor, targets: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        for operation in operations:
            batch = operation(batch, training=True) if isinstance(operation, layers.Layer) else operation(batch)
        return batch, targets

    return images.map(apply, num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)


def filled_cache(images: tf.data.Dataset) -> tf.data.Dataset:
    """Cached in memory, and read once, so that what is timed afterwards reads from memory."""
    cached = images.cache()
    for _ in cached:
        pass
    return cached


def pipeline(job: Job) -> dict[str, float]:
    images = read(Path(job["data"]) / "train", job["batch_size"])
    batches = iter(augmented(images, heavy_list(job["image_size"])).repeat())
    return repeat(lambda: len(next(batches)[0]), job["seconds"])


def epoch(job: Job) -> dict[str, float]:
    cached = filled_cache(read(Path(job["data"]) / "train", job["batch_size"]))
    batches = augmented(cached, heavy_list(job["image_size"]))
    model, clock = make_model(job["model"]), EpochClock()
    model.fit(batches.take(WARM_UP), verbose=0)
    model.fit(batches, callbacks=[clock], verbose=2)
    return figures(job["images"], clock.seconds[0])


def transfer(job: Job) -> dict[str, float]:
    """A head on a frozen backbone, with validation every epoch; the runner times the whole process."""
    size, data = job["image_size"], Path(job["data"])
    training = augmented(read(data / "train", job["batch_size"]).cache(), transfer_list(size))
    validation = keras.utils.image_dataset_from_directory(
        data / "val", image_size=(size, size), batch_size=job["batch_size"], shuffle=False, verbose=False
    )
    validation = validation.map(lambda images, targets: (images / 127.5 - 1, targets)).cache()
    clock, model = EpochClock(), _frozen_model(size)
    model.fit(training, validation_data=validation, epochs=job["epochs"], callbacks=[clock], verbose=2)
    later = clock.seconds[1:] or clock.seconds
    return {"epoch_seconds": sum(later) / len(later), "n": job["epochs"]}


def _frozen_model(size: int) -> keras.Model:
    base = keras.applications.MobileNetV2((size, size, 3), include_top=False, weights=None, pooling="avg")
    base.trainable = False
    inputs = keras.Input((size, size, 3))
    model = keras.Model(inputs, layers.Dense(5, activation="softmax")(base(inputs, training=False)))
    model.compile(keras.optimizers.AdamW(3e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


if __name__ == "__main__":
    run_job({"step": step, "pipeline": pipeline, "epoch": epoch, "transfer": transfer})
