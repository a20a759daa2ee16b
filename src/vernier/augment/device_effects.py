"""Operations on pixels for images that are on a device: each image goes to the host and back.

They have one implementation, so results do not depend on the device. A list with many of them is better off with
`augment.backend=opencv`.
"""

import numpy as np
import torch

from vernier.augment.buffers import Scratch
from vernier.augment.device_pixels import Pixels, as_stack, from_stack
from vernier.augment.pixel.operation import PixelDraw


def change_pixels(draw: PixelDraw, pixels: Pixels, colours: tuple[int, ...]) -> Pixels:
    """The images after the operation, float32, on the same device."""
    if not draw.chosen.any():
        return pixels
    stack, scratch = as_stack(pixels).float(), Scratch()
    for number in np.flatnonzero(draw.chosen).tolist():
        height, width = pixels.sizes[number].tolist()
        part = stack[:, number, :height, :width]
        image = np.ascontiguousarray(part.permute(1, 2, 0).cpu().numpy())
        changed = draw.apply(number, image, colours, scratch).astype(np.float32)
        part.copy_(torch.from_numpy(changed).permute(2, 0, 1))
    return from_stack(stack.contiguous(), pixels.sizes)
