"""What sensors and files do to an image: noise, and compression with loss."""

from collections.abc import Mapping
from functools import cache

import cv2
import numpy as np
import simplejpeg
import torch

from vernier.augment.pixel.operation import PixelOperation, Sample
from vernier.augment.pixel.values import bytes_of, drawn, drawn_whole, memory, rows
from vernier.config.operations.base import Operation
from vernier.config.operations.tone import JPEG, GaussianNoise


def _gaussian_noise(operation: GaussianNoise, image: np.ndarray, sample: Sample) -> np.ndarray:
    std = 255 * drawn(sample.u[0], operation.std)
    into = memory("noisy", image, sample)
    np.multiply(_normal(image, sample), np.float32(std), out=into)
    np.add(into, image, out=into)
    return np.clip(into, 0, 255, out=into)


def _normal(image: np.ndarray, sample: Sample) -> np.ndarray:
    """Normal numbers of an image's shape, each one of 2^16 quantiles: a fifth of the time of `standard_normal`."""
    words = sample.generator().bit_generator.random_raw(-(-image.size // 4))
    places = words.view(np.uint16)[: image.size].reshape(image.shape)
    normal = sample.scratch.take("normal", image.shape)
    cv2.LUT(rows(places), _quantiles(), dst=rows(normal))
    return normal


@cache
def _quantiles() -> np.ndarray:
    """The middles of 2^16 equally probable parts of the normal distribution, float32."""
    middles = (torch.arange(2**16, dtype=torch.float64) + 0.5) / 2**16
    quantiles: np.ndarray = torch.special.ndtri(middles).float().numpy()
    return quantiles


def _jpeg(operation: JPEG, image: np.ndarray, sample: Sample) -> np.ndarray:
    quality = drawn_whole(sample.u[0], operation.quality)
    colours, resolution = ("GRAY", "Gray") if image.shape[2] == 1 else ("RGB", "420")
    whole = np.ascontiguousarray(bytes_of(image, sample.scratch))
    encoded = simplejpeg.encode_jpeg(whole, quality, colours, resolution, fastdct=False)
    into = memory("decoded", image, sample, np.uint8)
    simplejpeg.decode_jpeg(encoded, colours, buffer=into)
    return into


NOISE: Mapping[type[Operation], PixelOperation] = {
    GaussianNoise: PixelOperation(1, _gaussian_noise),
    JPEG: PixelOperation(1, _jpeg),
}
