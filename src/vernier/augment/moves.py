"""Operations that keep the size of an image (but for quarter turns): what their draws mean. See `warps`."""

import numpy as np

from vernier.augment.warps import Floats, Sizes, Warp, about_middle, between, choice, linear, span, window
from vernier.config.augment import (
    RandomFlip,
    RandomHorizontalFlip,
    RandomPerspective,
    RandomRotate,
    RandomRotate90,
    RandomVerticalFlip,
    Shear,
    Translate,
    Zoom,
)

_MIRRORED = {"horizontal": ((0, 1),), "vertical": ((1, 0),), "horizontal_and_vertical": ((0, 1), (1, 0), (1, 1))}
"""What a flip may mirror: up and down, left and right."""


def mirrored_axes(operation: RandomFlip, u: Floats) -> np.ndarray:
    """Whether images (N,) are mirrored up and down, left and right, if they are; bool (N, 2)."""
    options = np.array(_MIRRORED[operation.mode], np.bool_)
    return np.asarray(options[choice(u, len(options)).astype(np.int64)])


def flip(operation: RandomFlip, u: Floats, sizes: Sizes) -> Warp:
    """Mirrored along one axis or both."""
    y, x = np.where(mirrored_axes(operation, u[:, 0]), -1, 1).T
    return about_middle(sizes, linear(x, 0, 0, y), sizes)


def horizontal_flip(operation: RandomHorizontalFlip, u: Floats, sizes: Sizes) -> Warp:
    """Left becomes right."""
    return about_middle(sizes, linear(np.full(len(sizes), -1), 0, 0, 1), sizes)


def vertical_flip(operation: RandomVerticalFlip, u: Floats, sizes: Sizes) -> Warp:
    """Top becomes bottom."""
    return about_middle(sizes, linear(np.full(len(sizes), 1), 0, 0, -1), sizes)


def rotate(operation: RandomRotate, u: Floats, sizes: Sizes) -> Warp:
    """By an angle."""
    angle = np.deg2rad(between(u[:, 0], *span(operation.degrees)))
    return about_middle(sizes, _rotation(np.cos(angle), np.sin(angle)), sizes)


def rotate90(operation: RandomRotate90, u: Floats, sizes: Sizes) -> Warp:
    """By quarter turns; height and width may change places."""
    turns = np.array(operation.turns)[choice(u[:, 0], len(operation.turns)).astype(np.int64)]
    cosine, sine = np.array([1, 0, -1, 0])[turns], np.array([0, 1, 0, -1])[turns]
    size = np.where(turns[:, None] % 2 == 1, sizes[:, ::-1], sizes)
    return about_middle(sizes, _rotation(cosine, sine), size)


def _rotation(cosine: np.ndarray, sine: np.ndarray) -> Floats:
    """Counter-clockwise as one sees it: y points down."""
    return linear(cosine, -sine, sine, cosine)


def translate(operation: Translate, u: Floats, sizes: Sizes) -> Warp:
    """By shares of the sides."""
    share = np.stack([between(u[:, 0], *span(operation.y)), between(u[:, 1], *span(operation.x))], axis=1)
    return window(sizes, -share * sizes, sizes, sizes)


def zoom(operation: Zoom, u: Floats, sizes: Sizes) -> Warp:
    """By one factor, or one for each axis."""
    x = 1 / between(u[:, 0], *operation.scale)
    y = x if operation.scale_y is None else 1 / between(u[:, 1], *operation.scale_y)
    return about_middle(sizes, linear(x, 0, 0, y), sizes)


def shear(operation: Shear, u: Floats, sizes: Sizes) -> Warp:
    """First along x, then along y: the determinant is 1 for any two angles."""
    x = np.tan(np.deg2rad(between(u[:, 0], *span(operation.x))))
    y = np.tan(np.deg2rad(between(u[:, 1], *span(operation.y))))
    return about_middle(sizes, linear(1 + x * y, -x, -y, np.ones_like(x)), sizes)


def perspective(operation: RandomPerspective, u: Floats, sizes: Sizes) -> Warp:
    """The image's corners come from where they are moved to."""
    inwards = u.reshape(-1, 4, 2) * (operation.distortion / 2)
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]])
    matrices = np.linalg.inv(_square_to_quad(corners + np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]]) * inwards))
    scale = np.concatenate([sizes[:, ::-1], np.ones((len(sizes), 1))], axis=1)
    return Warp(scale[:, :, None] * matrices / scale[:, None, :], sizes, sizes)


def _square_to_quad(quad: Floats) -> Floats:
    """Homographies from the unit square to quadrilaterals (N, 4, 2), corners in turn (Heckbert 1989, p. 19-21)."""
    first, second, third, fourth = np.moveaxis(quad, 1, 0)
    a, b, total = second - third, fourth - third, first - second + third - fourth
    area = a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
    g = ((total[:, 0] * b[:, 1] - total[:, 1] * b[:, 0]) / area)[:, None]
    h = ((a[:, 0] * total[:, 1] - a[:, 1] * total[:, 0]) / area)[:, None]
    matrices = np.ones((len(quad), 3, 3))
    matrices[:, :2] = np.stack([second - first + g * second, fourth - first + h * fourth, first], axis=2)
    matrices[:, 2, :2] = np.concatenate([g, h], axis=1)
    return matrices
