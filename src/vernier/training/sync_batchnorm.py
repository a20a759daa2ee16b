"""BatchNorm over the batches of all processes, on any device.

Source: Ioffe and Szegedy 2015, arXiv:1502.03167; moments of parts put together as by Chan, Golub and LeVeque 1983.
torch's own SyncBatchNorm runs on GPUs only, and counts the image that stands in for a process without samples.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, final

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from vernier.errors import ConfigError, ConfigProblem
from vernier.models.submodules import replace_module


def synchronise_batchnorm(model: nn.Module) -> None:
    """Have every BatchNorm of a model take its statistics over all processes while it trains, in place.

    Parameters, statistics and their names stay the same tensors, and evaluation stays as it is.

    Raises:
        ConfigError: a BatchNorm that computes otherwise than torch's.
    """
    norms = {name: layer for name, layer in model.named_modules() if isinstance(layer, _BatchNorm)}
    others = {name: layer for name, layer in norms.items() if not isinstance(layer, nn.SyncBatchNorm)}
    odd = sorted({type(layer).__name__ for layer in others.values() if not _can_be_synchronised(layer)})
    if odd:
        message = f"{', '.join(odd)} can't be synchronised; set train.sync_batchnorm=false"
        raise ConfigError([ConfigProblem("train.sync_batchnorm", message)])
    for name, layer in others.items():
        replace_module(model, name, SynchronisedBatchNorm(layer))


@contextmanager
def statistics_with(model: nn.Module, has_samples: bool) -> Iterator[None]:
    """A forward pass in a process that has samples of the batch, or only an image that stands in for them.

    The stand-in counts in no statistics. Every process runs the forward pass, because all of them wait for each other.
    """
    layers = [] if has_samples else [layer for layer in model.modules() if isinstance(layer, SynchronisedBatchNorm)]
    try:
        for layer in layers:
            layer.counts = False
        yield
    finally:
        for layer in layers:
            layer.counts = True


@final
class SynchronisedBatchNorm(_BatchNorm):
    """A BatchNorm, with what may follow inside it (an activation), over the batches of all processes.

    Attributes:
        counts: Whether this process's images are part of the statistics.
    """

    def __init__(self, norm: _BatchNorm) -> None:
        """The same parameters, statistics and children as `norm`."""
        super().__init__(norm.num_features, norm.eps, norm.momentum, affine=False, track_running_stats=False)
        self.affine, self.track_running_stats = norm.affine, norm.track_running_stats
        self.weight, self.bias = norm.weight, norm.bias
        self.running_mean, self.running_var = norm.running_mean, norm.running_var
        self.num_batches_tracked = norm.num_batches_tracked
        self.counts = True
        for name, child in norm.named_children():
            self.add_module(name, child)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, ...) to the same.

        Raises:
            ValueError: a single value a channel over all processes, which has no variance.
        """
        y = self._over_all_processes(x) if self.training else self._as_it_is(x)
        for child in self.children():
            y = child(y)
        return y

    def _as_it_is(self, x: Tensor) -> Tensor:
        untracked = self.running_mean is None
        return F.batch_norm(
            x, self.running_mean, self.running_var, self.weight, self.bias, training=untracked, momentum=0, eps=self.eps
        )

    def _over_all_processes(self, x: Tensor) -> Tensor:
        moments = _moments_of_all(x.detach(), self.counts)
        # Asking for the number of values waits for the device, so it is asked for where it may be too small only.
        if x.numel() == self.num_features and moments.values < 2:
            raise ValueError(f"Expected more than 1 value per channel when training, got input size {tuple(x.shape)}")
        if self.track_running_stats:
            self._track(moments)
        y: Tensor = _Normalise.apply(x, self.weight, self.bias, moments, self.eps, self.counts)
        return y

    @torch.no_grad()
    def _track(self, moments: "_Moments") -> None:
        """Move the running statistics towards those of the batch; the variance's is unbiased."""
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked.add_(1)
        share = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        unbiased = moments.variance * (moments.values / (moments.values - 1))
        for running, new in ((self.running_mean, moments.mean), (self.running_var, unbiased)):
            running.mul_(1 - share).add_(new.to(running.dtype), alpha=share)


class _Moments(NamedTuple):
    """Of each channel over all processes: (C,) mean and biased variance, and () of how many values."""

    mean: Tensor
    variance: Tensor
    values: Tensor


def _moments_of_all(x: Tensor, counts: bool) -> _Moments:
    """The moments of (B, C, ...) batches; those of a process that does not count are left out."""
    values = float(x.numel() // x.shape[1]) if counts else 0.0
    mean, variance = _own_moments(x)
    mine = torch.cat([mean, variance, mean.new_full((1,), values)])
    all_of_them = [torch.empty_like(mine) for _ in range(torch.distributed.get_world_size())]
    torch.distributed.all_gather(all_of_them, mine)
    rows = torch.stack(all_of_them)
    means, variances, numbers = rows[:, : x.shape[1]], rows[:, x.shape[1] : -1], rows[:, -1:]
    total = numbers.sum()
    mean = (numbers * means).sum(0) / total
    variance = (numbers * (variances + (means - mean).square())).sum(0) / total
    return _Moments(mean, variance, total)


def _own_moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and biased variance of a (B, C, ...) batch; float32 at least."""
    wide = torch.promote_types(x.dtype, torch.float32)
    if x.device.type == "cpu":
        # BatchNorm's own kernel; var_mean takes 3 to 35 times as long. The statistics that it moves only set the type.
        unused = x.new_zeros((2, x.shape[1]), dtype=wide)
        mean, variance = torch.batch_norm_update_stats(x, unused[0], unused[1], momentum=1.0)
        return mean, variance
    variance, mean = torch.var_mean(x.to(wide), [axis for axis in range(x.ndim) if axis != 1], correction=0)
    return mean, variance


@final
class _Normalise(torch.autograd.Function):
    """(x - mean) / sqrt(variance + eps) * weight + bias, where the moments are those of x in all processes."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor | None, bias: Tensor | None, moments: _Moments, eps: float, counts: bool
    ) -> Tensor:
        mean, variance = moments.mean, moments.variance
        ctx.save_for_backward(x, weight, bias, mean, variance, counts / moments.values)
        ctx.eps = eps
        scale, shift = (None if given is None else given.to(mean.dtype) for given in (weight, bias))
        return F.batch_norm(x, mean, variance, scale, shift, training=False, momentum=0, eps=eps)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, bias, mean, variance, share = ctx.saved_tensors
        scale = torch.ones_like(mean) if weight is None else weight.to(mean.dtype)
        # As if the moments were constants, which is BatchNorm in eval mode.
        none, moments = mean.new_empty(0), (mean, variance)
        grad_x, of_scale, of_shift = torch.ops.aten.native_batch_norm_backward(
            grad_outputs[0], x, scale, *moments, none, none, False, ctx.eps, [True, True, True]
        )
        # The parameters' gradients stay this process's own: DDP adds them up.
        grad_weight = None if weight is None else of_scale.to(weight.dtype)
        grad_bias = None if bias is None else of_shift.to(bias.dtype)
        if not ctx.needs_input_grad[0]:
            return None, grad_weight, grad_bias, None, None, None
        sums = torch.stack([of_scale, of_shift])
        torch.distributed.all_reduce(sums)
        slopes, constants = _by_way_of_moments(mean, torch.rsqrt(variance + ctx.eps), scale, sums * share)
        grad_x = (
            grad_x.to(mean.dtype).addcmul_(x.to(mean.dtype), _by_channel(slopes, x)).add_(_by_channel(constants, x))
        )
        return grad_x.to(x.dtype), grad_weight, grad_bias, None, None, None


def _by_way_of_moments(mean: Tensor, inverse: Tensor, scale: Tensor, means: Tensor) -> tuple[Tensor, Tensor]:
    """What is added to the gradient of x because the moments depend on it: slope * x + constant, of each channel.

    Args:
        inverse: 1 / sqrt(variance + eps).
        means: (2, C), of dy times the normalised x, and of dy, over all processes.
    """
    slopes = -scale * inverse.square() * means[0]
    return slopes, -slopes * mean - scale * inverse * means[1]


def _by_channel(values: Tensor, x: Tensor) -> Tensor:
    """(C,) as it is multiplied with (B, C, ...)."""
    return values.view(-1, *[1] * (x.ndim - 2))


def _can_be_synchronised(layer: _BatchNorm) -> bool:
    """Whether a layer computes as torch's BatchNorm does and then what its children do, in their order."""
    with_activation = getattr(sys.modules.get("timm.layers"), "BatchNormAct2d", None)
    return type(layer).forward is _BatchNorm.forward or type(layer) is with_activation
