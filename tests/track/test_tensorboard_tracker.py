import io
import time

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from vernier.track.tensorboard_tracker import TensorBoardTracker


def events(directory) -> EventAccumulator:
    read = EventAccumulator(str(directory), size_guidance={"scalars": 0, "images": 0})
    return read.Reload()


def scalars(directory, tag: str) -> dict[int, float]:
    return {event.step: event.value for event in events(directory).Scalars(tag)}


def test_rows_lie_at_their_step_in_groups(tmp_path):
    tracker = TensorBoardTracker(tmp_path, 0)
    tracker.start({"seed": 3})
    tracker.log_step(1, {"loss": 2.0})
    tracker.log_validation(1, 2, {"accuracy": 0.5})
    tracker.log_epoch(1, 2, {"train_loss": 1.5})
    tracker.close()
    assert scalars(tmp_path, "step/loss") == {1: 2.0}
    assert scalars(tmp_path, "val/accuracy") == {2: 0.5}
    assert scalars(tmp_path, "epoch/train_loss") == {2: 1.5}
    (text,) = events(tmp_path).Tensors("config/text_summary")
    assert b"seed: 3" in text.tensor_proto.string_val[0]


def test_a_row_can_be_read_while_the_training_goes_on(tmp_path):
    tracker = TensorBoardTracker(tmp_path, 0)
    tracker.log_validation(1, 1, {"loss": 2.0})
    assert scalars(tmp_path, "val/loss") == {1: 2.0}
    tracker.log_step(2, {"loss": 3.0})
    late = time.monotonic() + 20
    while "step/loss" not in events(tmp_path).Tags()["scalars"] and time.monotonic() < late:
        time.sleep(0.1)
    assert scalars(tmp_path, "step/loss") == {2: 3.0}
    tracker.close()


def test_going_on_voids_what_came_after_the_checkpoint(tmp_path):
    tracker = TensorBoardTracker(tmp_path, 0)
    for step in range(1, 6):
        tracker.log_step(step, {"loss": float(step)})
    tracker.close()
    tracker = TensorBoardTracker(tmp_path, 3)
    tracker.log_step(4, {"loss": 40.0})
    tracker.close()
    assert scalars(tmp_path, "step/loss") == {1: 1.0, 2: 2.0, 3: 3.0, 4: 40.0}


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
def test_a_png_is_recorded_as_it_is(tmp_path, mode):
    picture = Image.fromarray(np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3)).convert(mode)
    png = io.BytesIO()
    picture.save(png, "png")
    tracker = TensorBoardTracker(tmp_path, 0)
    tracker.log_png("picture", 9, png.getvalue())
    tracker.close()
    (event,) = events(tmp_path).Images("picture")
    assert event.step == 9
    shown = np.asarray(Image.open(io.BytesIO(event.encoded_image_string)))
    np.testing.assert_array_equal(shown, np.asarray(picture.convert("RGB")))
