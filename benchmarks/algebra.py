"""What layers over quaternions cost, against real layers of the same work.

python benchmarks/algebra.py [--rounds N] [--threads N]

A real layer has as many channels as there are blades x channels on the other side, so both do the same number of
multiplications. Times are processor time of forward and backward passes, gradients of the input included, in turn, with
freed memory kept as in training. Prints a Markdown table: medians over the rounds, and the median of the rounds' ratios
with the smallest and the largest.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from vernier.models.algebra.batchnorm import BladeBatchNorm, WhiteningBatchNorm
from vernier.models.algebra.linear import HyperConv2d, HyperLinear
from vernier.models.algebra.structure import find_algebra
from vernier.training.allocator import keep_freed_memory

QUATERNION = find_algebra("quaternion")
BATCH, PIXELS = 64, 32


@dataclass(frozen=True)
class Side:
    """A layer and what it is given."""

    layer: nn.Module
    inputs: Tensor
    gradient: Tensor
    context: Callable[[], AbstractContextManager[None]]

    def seconds(self) -> float:
        """Of one forward and backward pass."""
        self.layer.zero_grad()
        self.inputs.grad = None
        start = time.process_time()
        with self.context():
            outputs = self.layer(self.inputs)
        outputs.backward(self.gradient)
        return time.process_time() - start


@dataclass(frozen=True)
class Comparison:
    """Two layers of the same work."""

    name: str
    hyper: Side
    real: Side

    def row(self, rounds: int) -> str:
        """A line of the table."""
        for side in (self.hyper, self.real):
            side.seconds()
        pairs = [(self.hyper.seconds(), self.real.seconds()) for _ in range(rounds)]
        hyper, real = (1000 * statistics.median(times) for times in zip(*pairs, strict=True))
        ratios = sorted(own / other for own, other in pairs)
        spread = f"{statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"
        return f"| {self.name} | {hyper:.1f} | {real:.1f} | {spread} | {rounds} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    torch.manual_seed(0)
    keep_freed_memory()
    torch.set_num_threads(asked.threads)
    print(f"torch {torch.__version__}, {asked.threads} thread(s), {torch.backends.cpu.get_cpu_capability()}\n")
    print("| layer | numbers, ms | real, ms | ratio | n |\n|---|---|---|---|---|")
    for comparison in comparisons():
        print(comparison.row(asked.rounds), flush=True)


def comparisons() -> Iterator[Comparison]:
    """Convolutions of 16 quaternions, norms of 64 and a linear layer of 256."""
    conv, real_conv = HyperConv2d(QUATERNION, 16, 16, 3, padding=1), nn.Conv2d(64, 64, 3, padding=1)
    for context, precision in ((nullcontext, "fp32"), (_bf16, "bf16-mixed")):
        for memory_format, order in ((torch.contiguous_format, "contiguous"), (torch.channels_last, "channels_last")):
            sides = _images(conv, real_conv, 16, memory_format, context)
            yield Comparison(f"conv 3x3, 16 numbers, {precision}, {order}", *sides)
    real_norm = nn.BatchNorm2d(256)
    for name, norm in (("blade", BladeBatchNorm(QUATERNION, 64)), ("whitening", WhiteningBatchNorm(QUATERNION, 64))):
        for memory_format, order in ((torch.contiguous_format, "contiguous"), (torch.channels_last, "channels_last")):
            sides = _images(norm, real_norm, 64, memory_format, nullcontext)
            yield Comparison(f"{name} BatchNorm, 64 numbers, fp32, {order}", *sides)
    linear, real_linear = HyperLinear(QUATERNION, 256, 256), nn.Linear(1024, 1024)
    yield Comparison("linear, 256 numbers, fp32", *_sides(linear, real_linear, torch.randn(256, 1024), nullcontext))


def _images(
    hyper: nn.Module,
    real: nn.Module,
    numbers: int,
    memory_format: torch.memory_format,
    context: Callable[[], AbstractContextManager[None]],
) -> tuple[Side, Side]:
    shape = (BATCH * QUATERNION.size, numbers, PIXELS, PIXELS)
    images = torch.randn(BATCH, numbers * QUATERNION.size, PIXELS, PIXELS)
    both = (hyper.to(memory_format=memory_format), images.view(shape)), (real.to(memory_format=memory_format), images)
    own, other = (_side(layer, inputs.contiguous(memory_format=memory_format), context) for layer, inputs in both)
    return own, other


def _sides(
    hyper: nn.Module, real: nn.Module, inputs: Tensor, context: Callable[[], AbstractContextManager[None]]
) -> tuple[Side, Side]:
    return _side(hyper, inputs.view(len(inputs) * QUATERNION.size, -1), context), _side(real, inputs, context)


def _side(layer: nn.Module, inputs: Tensor, context: Callable[[], AbstractContextManager[None]]) -> Side:
    given = inputs.clone().requires_grad_()
    with context():
        outputs = layer(given)
    return Side(layer, given, torch.randn_like(outputs), context)


def _bf16() -> AbstractContextManager[None]:
    return torch.autocast("cpu", torch.bfloat16)


if __name__ == "__main__":
    main()
