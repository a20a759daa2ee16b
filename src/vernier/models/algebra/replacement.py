"""What each layer of a real network becomes over the numbers of an algebra, and which layers can't become anything."""

import sys
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, final

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.lazy import LazyModuleMixin

from vernier.models.algebra.assembly import AssembledLayer
from vernier.models.algebra.batchnorm import BladeBatchNorm, WhiteningBatchNorm
from vernier.models.algebra.dropout import HyperDropout, HyperDropPath
from vernier.models.algebra.initialisers import like_
from vernier.models.algebra.linear import HyperConv2d, HyperConvTranspose2d, HyperLinear
from vernier.models.algebra.structure import Algebra

_KEPT_WITH_PARAMETERS = (nn.PReLU,)
"""Pointwise functions: all blades share their parameters."""

_WHITENING_EPS = 1e-4
"""Trabelsi et al. 2018; the covariance of few images has variances near 0 in some direction."""

_NORMALISES_PIXELS = (nn.LocalResponseNorm, nn.CrossMapLRN2d)
"""Called normalisations, but functions of a pixel alone."""


@final
@dataclass(frozen=True)
class Replacements:
    """The layers over `algebra` that stand for real ones, with `batchnorm` as in `model.algebra.batchnorm`."""

    algebra: Algebra
    batchnorm: Literal["blade", "whitening"]

    def replace(self, module: nn.Module) -> nn.Module:
        """The layer for a real one, with new initial weights; the module itself where it stays as it is."""
        make = _find(module)
        return module if make is None else make(self, module)

    def convolution(self, old: nn.Conv2d) -> nn.Module:
        """With the scalar part's bias as it was, like every layer's here."""
        new = HyperConv2d(
            self.algebra,
            old.in_channels,
            old.out_channels,
            old.kernel_size,  # type: ignore[arg-type]
            stride=old.stride,  # type: ignore[arg-type]
            padding=old.padding,  # type: ignore[arg-type]
            dilation=old.dilation,  # type: ignore[arg-type]
            groups=old.groups,
            bias=old.bias is not None,
            padding_mode=old.padding_mode,
        )
        return self._initialised(new, old)

    def same_convolution(self, old: nn.Conv2d) -> nn.Module:
        """timm's: as many zeros around the image as TensorFlow puts there."""
        pad = SamePadding(_pair(old.kernel_size), _pair(old.stride), _pair(old.dilation))
        return _sequence(pad=pad, conv=self.convolution(old))

    def transposed_convolution(self, old: nn.ConvTranspose2d) -> nn.Module:
        """As `convolution`."""
        new = HyperConvTranspose2d(
            self.algebra,
            old.in_channels,
            old.out_channels,
            old.kernel_size,  # type: ignore[arg-type]
            stride=old.stride,  # type: ignore[arg-type]
            padding=old.padding,  # type: ignore[arg-type]
            output_padding=old.output_padding,  # type: ignore[arg-type]
            groups=old.groups,
            bias=old.bias is not None,
            dilation=old.dilation,  # type: ignore[arg-type]
        )
        return self._initialised(new, old)

    def linear(self, old: nn.Linear) -> nn.Module:
        """As `convolution`."""
        new = HyperLinear(self.algebra, old.in_features, old.out_features, bias=old.bias is not None)
        return self._initialised(new, old)

    def batch_norm(self, old: nn.BatchNorm1d | nn.BatchNorm2d) -> nn.Module:
        """Scales that start at 0 do so here, for all blades."""
        blade = self.batchnorm == "blade"
        kind = BladeBatchNorm if blade else WhiteningBatchNorm
        new = kind(
            self.algebra,
            old.num_features,
            eps=old.eps if blade else max(old.eps, _WHITENING_EPS),
            momentum=old.momentum,
            affine=old.affine,
            track_running_stats=old.track_running_stats,
        )
        if old.affine:
            new.scale_(old.weight)
        return new

    def batch_norm_act(self, old: Any) -> nn.Module:
        """timm's, with what follows the norm in the same module."""
        drop, act = self.replace(old.drop), self.replace(old.act)
        return _sequence(norm=self.batch_norm(old), drop=drop, act=act)

    def dropout(self, old: nn.Dropout) -> nn.Module:
        """Drops whole numbers."""
        return HyperDropout(old.p, self.algebra)

    def drop_path(self, old: Any) -> nn.Module:
        """timm's `DropPath`."""
        return HyperDropPath(old.drop_prob, self.algebra)

    def stochastic_depth(self, old: Any) -> nn.Module:
        """torchvision's; with mode batch it drops everything at once already."""
        return HyperDropPath(old.p, self.algebra) if old.mode == "row" else old

    @torch.no_grad()
    def _initialised(self, new: AssembledLayer, old: nn.Conv2d | nn.ConvTranspose2d | nn.Linear) -> nn.Module:
        """Weights of the variance of the real layer's; its bias for the scalar part, 0 for the others."""
        like_(new.weight, old.weight, self.algebra)
        if new.bias is not None and old.bias is not None:
            new.bias.zero_()
            new.bias[: len(old.bias)] = old.bias
        return new


def can_be_replaced(module: nn.Module) -> bool:
    """Whether a network over numbers can have this module, as it is or as another one; its children aside."""
    if _find(module) is not None or isinstance(module, _KEPT_WITH_PARAMETERS):
        return True
    if isinstance(module, LazyModuleMixin | nn.modules.dropout._DropoutNd):
        return False
    if any(parameter is not None for parameter in module._parameters.values()):
        return False
    return not (_is_attention(module) or _is_normalisation(module))


@final
class SamePadding(nn.Module):
    """Zeros around an image, so that a convolution gives ceil(size / stride) pixels; the odd one at the end."""

    def __init__(self, kernel_size: tuple[int, int], stride: tuple[int, int], dilation: tuple[int, int]) -> None:
        super().__init__()
        self.kernel_size, self.stride, self.dilation = kernel_size, stride, dilation

    def forward(self, x: Tensor) -> Tensor:
        """(..., H, W) to (..., H + h, W + w)."""
        height, width = self._total(x, 0), self._total(x, 1)
        return F.pad(x, (width // 2, width - width // 2, height // 2, height - height // 2))

    def extra_repr(self) -> str:
        """Those of the convolution."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}, dilation={self.dilation}"

    def _total(self, x: Tensor, axis: int) -> int:
        size, stride = x.shape[2 + axis], self.stride[axis]
        steps = (size + stride - 1) // stride - 1
        missing = steps * stride + self.dilation[axis] * (self.kernel_size[axis] - 1) + 1 - size
        # max() would ask torch.fx for a number.
        return torch.sym_max(missing, 0)  # type: ignore[return-value]


_Make = Callable[[Replacements, Any], nn.Module]

_TORCH: Mapping[type[nn.Module], _Make] = {
    nn.Conv2d: Replacements.convolution,
    nn.ConvTranspose2d: Replacements.transposed_convolution,
    nn.Linear: Replacements.linear,
    nn.BatchNorm1d: Replacements.batch_norm,
    nn.BatchNorm2d: Replacements.batch_norm,
    nn.Dropout: Replacements.dropout,
}
_LIBRARIES: Mapping[tuple[str, str], _Make] = {
    ("timm.layers", "Conv2dSame"): Replacements.same_convolution,
    ("timm.layers", "Linear"): Replacements.linear,
    ("timm.layers", "BatchNormAct2d"): Replacements.batch_norm_act,
    ("timm.layers", "DropPath"): Replacements.drop_path,
    ("torchvision.ops", "StochasticDepth"): Replacements.stochastic_depth,
    ("vernier.models.zoo.layers", "StochasticDepth"): Replacements.drop_path,
}


def _find(module: nn.Module) -> _Make | None:
    for kind, make in {**_library_kinds(), **_TORCH}.items():
        if type(module) is kind or (isinstance(module, kind) and _is_plain(module, kind)):
            return make
    return None


def _library_kinds() -> dict[type[nn.Module], _Make]:
    """Layers of the libraries that are imported already; no network can hold any others."""
    return {
        getattr(sys.modules[library], name): make
        for (library, name), make in _LIBRARIES.items()
        if library in sys.modules
    }


def _is_plain(module: nn.Module, kind: type[nn.Module]) -> bool:
    """Whether a module of a subclass does what its base does, with the same parameters."""
    methods = ("forward", "_conv_forward")
    same = all(getattr(type(module), name, None) is getattr(kind, name, None) for name in methods)
    parameters = {"weight", "bias"} if any(True for _ in module.parameters(recurse=False)) else set(module._parameters)
    return same and not isinstance(module, LazyModuleMixin) and set(module._parameters) == parameters


def _is_attention(module: nn.Module) -> bool:
    return "attention" in type(module).__name__.lower()


def _is_normalisation(module: nn.Module) -> bool:
    """Without parameters of its own, but over several pixels or channels of a row."""
    alone = not any(True for _ in module.children())
    named_so = "norm" in type(module).__name__.lower()
    return alone and named_so and not isinstance(module, _NORMALISES_PIXELS)


def _sequence(**layers: nn.Module) -> nn.Sequential:
    return nn.Sequential(OrderedDict(layers))


def _pair(size: Any) -> tuple[int, int]:
    height, width = size
    return height, width
