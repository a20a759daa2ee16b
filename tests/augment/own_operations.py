"""Operations such as users write."""

import numpy as np

SEEN: list[dict] = []


def noise(image, generator, strength=0.1, *, epoch):
    """Noise that grows with the epochs."""
    SEEN.append({"dtype": image.dtype, "writeable": image.flags.writeable, "epoch": epoch})
    return (image + generator.normal(0, 255 * strength * (epoch + 1), image.shape)).astype(np.float32)


def mirror(pixels, rng, axis):
    """One that names its first parameters otherwise."""
    return np.flip(pixels, axis) if rng.random() < 0.5 else pixels


def writing(image, generator):
    """One that breaks its promise."""
    image[0] = 0
    return image


def half(image, generator):
    """One that loses half of the image."""
    return image[::2]


def double(image, generator):
    """One of another type."""
    return image.astype(np.float64)


def nothing(image, generator):
    """One without a result."""


def lonely(image):
    """One that takes no generator."""
    return image


class Made:
    """No function."""

    def __init__(self, image, generator):
        pass
