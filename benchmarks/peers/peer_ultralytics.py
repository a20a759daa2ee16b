"""Ultralytics classification of a MobileNetV2 that its own YAML describes, offline."""

import os
import time
from pathlib import Path
from tempfile import TemporaryDirectory

os.environ["YOLO_OFFLINE"] = "true"

from measure import WARM_UP, Job, figures, run_job

# torchvision's MobileNetV2 up to its last convolution; the Classify head adds that one (320 to 1280) and the linear.
MODEL = """\
nc: 5
backbone:
  - [-1, 1, TorchVision, [320, "mobilenet_v2", null, True, 2]]
head:
  - [-1, 1, Classify, [nc]]
"""


class BatchClock:
    """Times the steps of an epoch after a warm-up."""

    def __init__(self) -> None:
        self.steps = 0
        self.seconds = 0.0
        self._begin = 0.0

    def on_batch_end(self, _: object) -> None:
        self.steps += 1
        now = time.perf_counter()
        if self.steps == WARM_UP:
            self._begin = now
        self.seconds = now - self._begin


def epoch(job: Job) -> dict[str, float]:
    clock = BatchClock()
    with TemporaryDirectory() as directory:
        os.environ["YOLO_CONFIG_DIR"] = directory
        from ultralytics import YOLO

        file = Path(directory) / "mobilenetv2-cls.yaml"
        file.write_text(MODEL)
        model = YOLO(str(file), task="classify")
        model.add_callback("on_train_batch_end", clock.on_batch_end)
        model.train(**_settings(job, directory))
    return figures((clock.steps - WARM_UP) * job["batch_size"], clock.seconds)


def _settings(job: Job, directory: str) -> dict[str, object]:
    """SGD on fp32 with one batch a step; of the heavy list what Ultralytics has: crop, flip and colour jitter."""
    return {
        "data": job["data"],
        "epochs": 1,
        "imgsz": job["image_size"],
        "batch": job["batch_size"],
        "nbs": job["batch_size"],
        "workers": 2,
        "device": "cpu",
        "pretrained": False,
        "optimizer": "SGD",
        "lr0": 0.01,
        "momentum": 0.9,
        "amp": False,
        "val": False,
        "plots": False,
        "scale": 0.92,
        "fliplr": 0.5,
        "hsv_h": 0.0,
        "hsv_s": 0.2,
        "hsv_v": 0.2,
        "auto_augment": None,
        "erasing": 0.0,
        "project": directory,
    }


if __name__ == "__main__":
    run_job({"epoch": epoch})
