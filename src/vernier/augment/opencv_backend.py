"""The plan on a CPU: OpenCV on one image at a time, threads over the images."""

from collections.abc import Sequence
from typing import final

import cv2
import numpy as np
import torch

from vernier.augment.backend import Backend, image_sizes
from vernier.augment.buffers import Allocate, Recycler, Scratch
from vernier.augment.opencv_passes import make_pass
from vernier.augment.plan import Plan
from vernier.augment.workers import Workers


@final
class OpenCVBackend(Backend):
    """Runs a plan with OpenCV. `threads` does not change any result; 0 and 1 work in the caller's thread.

    OpenCV's own threads are turned off for the process: they would compete with these.

    Args:
        plan: what to run.
        threads: that share the images of a batch.
        niceness: by how much these threads give way to others.
        allocate: gives the memory of a batch; by default that of an earlier one that nobody holds any more.
    """

    def __init__(self, plan: Plan, threads: int, *, niceness: int = 0, allocate: Allocate | None = None) -> None:
        cv2.setNumThreads(1)
        self.workers = Workers(threads, niceness)
        """The threads, for those who read the images that go in."""
        self._plan = plan
        self._scratches = tuple(Scratch() for _ in plan.stages)
        self._allocate = allocate or Recycler().take

    def batch(self, images: Sequence[np.ndarray], indices: np.ndarray, epoch: int) -> torch.Tensor:
        """See `Backend.batch`."""
        plan = self._plan
        batch = self._allocate((len(images), *plan.output_size, plan.channels))
        results = batch.numpy()
        draws = plan.draw(indices, epoch, image_sizes(images))
        passes = [make_pass(draw, plan, scratch) for draw, scratch in zip(draws, self._scratches, strict=True)]

        def run(number: int) -> None:
            result = _without_grey_axis(results[number])
            image = _without_grey_axis(images[number])
            for each in passes[:-1]:
                image = each.run(number, image, None)
            for each in passes[-1:]:
                image = each.run(number, image, result)
            if image is not result:
                np.copyto(result, image)

        self.workers.map(run, len(images))
        return batch.permute(0, 3, 1, 2)


def _without_grey_axis(image: np.ndarray) -> np.ndarray:
    return image[..., 0] if image.shape[-1] == 1 else image
