"""A network over numbers as plain real layers, for export and for machines that know no others."""

import copy
from collections.abc import Callable, Mapping
from typing import Any, final

import torch
from torch import Tensor, nn

from vernier.models.algebra.batchnorm import BladeBatchNorm, WhiteningBatchNorm
from vernier.models.algebra.dropout import HyperDropout, HyperDropPath
from vernier.models.algebra.layout import from_blocks, to_blocks
from vernier.models.algebra.linear import HyperConv2d, HyperConvTranspose2d, HyperLinear


def fold(network: nn.Module) -> nn.Module:
    """A copy in eval mode, in which every layer over numbers is a real one, with the same outputs.

    Args:
        network: Left as it is; one without such layers is only copied.

    Returns:
        No more for training: there are N x N real weights where there were N. For any size of batch.
    """
    return _folded(copy.deepcopy(network), {}).eval()


@final
class OnBlocks(nn.Module):
    """A real layer over the blades of all channels, `groups` groups of channels with their blades together."""

    def __init__(self, blades: int, groups: int, real: nn.Module) -> None:
        super().__init__()
        self.blades, self.groups, self.real = blades, groups, real

    def forward(self, x: Tensor) -> Tensor:
        """(B*N, C, H, W) or (B*N, C) to the same with other sizes."""
        if x.ndim == 2:
            return self(x[:, :, None, None]).flatten(1)  # type: ignore[no-any-return]
        return from_blocks(self.real(to_blocks(x, self.blades, self.groups)), self.blades, self.groups)


@final
class OnFeatures(nn.Module):
    """A real linear layer over the blades of all features."""

    def __init__(self, blades: int, real: nn.Linear) -> None:
        super().__init__()
        self.blades, self.real = blades, real

    def forward(self, x: Tensor) -> Tensor:
        """(B*N, ..., F) to (B*N, ..., F')."""
        parts = torch.unflatten(x, 0, (-1, self.blades)).movedim(1, -2)
        y = torch.unflatten(self.real(parts.flatten(-2)), -1, (self.blades, -1))
        return y.movedim(-2, 1).flatten(0, 1)


def _folded(module: nn.Module, done: dict[nn.Module, nn.Module]) -> nn.Module:
    """`module` with its layers over numbers replaced, each once however often it is used."""
    if module not in done:
        make = _FOLDS.get(type(module))
        done[module] = module if make is None else make(module)
        if make is None:
            for name, child in module._modules.items():
                if child is not None:
                    module._modules[name] = _folded(child, done)
    return done[module]


def _convolution(layer: HyperConv2d | HyperConvTranspose2d) -> nn.Module:
    return OnBlocks(layer.algebra.size, layer.groups, layer.to_real())


def _linear(layer: HyperLinear) -> nn.Module:
    return OnFeatures(layer.algebra.size, layer.to_real())


def _blade_norm(layer: BladeBatchNorm) -> nn.Module:
    return OnBlocks(layer.algebra.size, 1, layer.norm)


@torch.no_grad()
def _whitening_norm(layer: WhiteningBatchNorm) -> nn.Module:
    """A 1x1 convolution with a group for each channel: a matrix over its blades, and a shift."""
    blades, channels = layer.algebra.size, layer.num_features
    matrix, shift = layer.affine_map()
    real = nn.Conv2d(blades * channels, blades * channels, 1, groups=channels, device="meta")
    real.weight = nn.Parameter(matrix.reshape(real.weight.shape))
    real.bias = nn.Parameter(shift.flatten())
    return OnBlocks(blades, channels, real)


def _nothing(_: nn.Module) -> nn.Module:
    return nn.Identity()


_FOLDS: Mapping[type[nn.Module], Callable[[Any], nn.Module]] = {
    HyperConv2d: _convolution,
    HyperConvTranspose2d: _convolution,
    HyperLinear: _linear,
    BladeBatchNorm: _blade_norm,
    WhiteningBatchNorm: _whitening_norm,
    HyperDropout: _nothing,
    HyperDropPath: _nothing,
}
