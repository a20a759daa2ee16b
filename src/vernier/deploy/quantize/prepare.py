"""A network made ready to lose less when it is quantized, without training."""

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import final

import numpy as np
import torch
from torch import Tensor, fx, nn

from vernier.config.quantize import QuantizeConfig
from vernier.deploy.quantize.dead_channels import silence_dead_channels
from vernier.deploy.quantize.equalize import equalize
from vernier.deploy.quantize.fold import fold_batchnorm
from vernier.deploy.quantize.high_bias import absorb_high_biases
from vernier.deploy.quantize.observe import outputs_of
from vernier.deploy.quantize.relu6 import replace_relu6
from vernier.deploy.quantize.tracing import trace_network
from vernier.evaluation.inference import evaluating
from vernier.evaluation.words import several
from vernier.models.prefix import UNTRACEABLE

Examples = Callable[[], Iterator[np.ndarray]]

_IMAGES = 32
"""As many show whether a network still does what it did."""

_SAME = 1e-3
"""What is the same but for rounding stays well within this share of the outputs."""

_HARMLESS = 0.02
"""8-bit rounding moves the outputs by more than this share of them."""


@final
@dataclass(frozen=True)
class Prepared:
    """A network to quantize.

    Attributes:
        module: In float, in eval mode.
        notes: What was done, in sentences.
    """

    module: nn.Module
    notes: tuple[str, ...]


@torch.no_grad()
def prepare_network(module: nn.Module, examples: Examples, settings: QuantizeConfig) -> Prepared:
    """Fold BatchNorm, silence dead channels, and equalise the weights between layers, as `settings.equalize` says.

    Args:
        module: In float, on the CPU; left as it is.
        examples: Starts a pass over calibration images, float32 (n, C, h, w) each.
        settings: equalize; null: with granularity per_tensor.

    Returns:
        A copy; or the network itself, with a note, where its code can't be traced or does more with its layers than
        call them.
    """
    wanted = settings.granularity == "per_tensor" if settings.equalize is None else settings.equalize
    if not wanted:
        return Prepared(module, ())
    try:
        network = trace_network(module)
    except UNTRACEABLE as error:
        problem = f"{type(error).__name__}: {error}".splitlines()[0]
        return Prepared(module, (f"Not equalised: torch.fx can't trace the network ({problem}).",))
    with evaluating(module):
        return _equalised(module, network, _first_images(examples))


def _first_images(examples: Examples) -> Tensor:
    """Up to `_IMAGES` of them, float (n, C, h, w)."""
    rows = (image for batch in examples() for image in batch)
    return torch.from_numpy(np.stack(list(islice(rows, _IMAGES))))


def _equalised(module: nn.Module, network: fx.GraphModule, images: Tensor) -> Prepared:
    wanted = outputs_of(module, images)
    spreads = fold_batchnorm(network)
    dead = silence_dead_channels(network, spreads, images)
    network, relu6 = _if_harmless(network, replace_relu6, images, wanted)
    before = outputs_of(network, images)
    scales = equalize(network, images)
    difference = _difference(outputs_of(network, images), before)
    if not difference <= _SAME:
        return Prepared(module, (f"Not equalised: the network's outputs would change by {difference:.1%}.",))
    scaled = {name: spread.divided(scales[name]) if name in scales else spread for name, spread in spreads.items()}
    network, absorbed = _if_harmless(network, partial(absorb_high_biases, spreads=scaled), images, wanted)
    notes = (
        f"BatchNorm folded into {several(len(spreads), 'layer')}; {several(dead, 'dead channel')} silenced.",
        _relu6_note(network, relu6),
        f"Channels behind {several(len(scales), 'layer')} equalised; {several(absorbed, 'high bias')} absorbed.",
    )
    return Prepared(network, tuple(note for note in notes if note))


def _if_harmless(
    network: fx.GraphModule, change: Callable[[fx.GraphModule], int], images: Tensor, wanted: Tensor
) -> tuple[fx.GraphModule, int]:
    """A changed copy and how much was changed, where the outputs stay near those wanted; else the network, and 0."""
    changed = copy.deepcopy(network)
    count = change(changed)
    return (changed, count) if _difference(outputs_of(changed, images), wanted) <= _HARMLESS else (network, 0)


def _difference(outputs: Tensor, wanted: Tensor) -> float:
    """Root mean square of the differences, as a share of that of the outputs wanted."""
    return float((outputs - wanted).square().mean().sqrt() / wanted.square().mean().sqrt())


def _relu6_note(network: fx.GraphModule, replaced: int) -> str:
    if replaced:
        return f"ReLU in place of ReLU6 at {several(replaced, 'place')}."
    kept = replace_relu6(copy.deepcopy(network))
    return f"ReLU6 stays at {several(kept, 'place')}: ReLU would change what the network says." if kept else ""
