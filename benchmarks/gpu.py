"""Measure training and augmentation on a CUDA device and write a dated table.

python benchmarks/gpu.py [--out benchmarks/results]

Needs no files: images are random. `--device cpu --quick` runs every part once, tiny, to see that it works.
Where something is compared, the variants take turns, and the medians of the rounds count.
"""

import argparse
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from vernier.augment.device_sampling import sample
from vernier.augment.device_windows import window_plan
from vernier.augment.plan import Plan, compile_plan
from vernier.config.augment import (
    AnyOperation,
    ColorJitter,
    Normalize,
    RandomCrop,
    RandomHorizontalFlip,
    RandomPerspective,
    RandomResizedCrop,
    RandomRotate,
)
from vernier.data.device_feed import DeviceFeed, DeviceWindowFeed
from vernier.data.feed import Feed
from vernier.models.zoo.resnet_cifar import resnet20_cifar

NORMALIZE = Normalize(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
SMALL = (RandomCrop(size=(32, 32), padding=4), RandomHorizontalFlip(), NORMALIZE)


@dataclass(frozen=True)
class Sizes:
    """How much is measured."""

    small_images: int
    small_batches: tuple[int, ...]
    photos: int
    photo_batch: int
    photo_size: tuple[int, int]
    output: int
    network_batch: int
    calls: int
    rounds: int


FULL = Sizes(50_000, (512, 1024, 2048), 1024, 128, (375, 500), 224, 128, 30, 5)
QUICK = Sizes(64, (16,), 8, 4, (90, 120), 32, 2, 1, 1)

Table = list[str]


def wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seconds_a_call(work: Callable[[], object], calls: int, device: torch.device) -> float:
    """The host waits once, after all calls: in between they overlap as they do in training."""
    wait(device)
    begin = time.perf_counter()
    for _ in range(calls):
        work()
    wait(device)
    return (time.perf_counter() - begin) / calls


def in_turns(variants: dict[str, Callable[[], object]], sizes: Sizes, device: torch.device) -> dict[str, float]:
    """Median seconds a call of each variant."""
    for work in variants.values():
        seconds_a_call(work, min(10, sizes.calls), device)
    times: dict[str, list[float]] = {name: [] for name in variants}
    for _ in range(sizes.rounds):
        for name, work in variants.items():
            times[name].append(seconds_a_call(work, sizes.calls, device))
    return {name: statistics.median(values) for name, values in times.items()}


def plan_of(operations: tuple[AnyOperation, ...], size: tuple[int, int]) -> Plan:
    return compile_plan(
        operations,
        channels=3,
        border="constant",
        fill=0,
        interpolation="bilinear",
        seed=0,
        native_size=size,
    )


def heavy(side: int) -> tuple[AnyOperation, ...]:
    return (
        RandomResizedCrop(size=(side, side)),
        RandomHorizontalFlip(),
        RandomRotate(degrees=15),
        RandomPerspective(distortion=0.3),
        ColorJitter(brightness=0.2, contrast=0.2, saturation=0.2),
        NORMALIZE,
    )


def random_images(count: int, size: tuple[int, int]) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, *size, 3), np.uint8)


def from_feed(feed: Feed, images: int, batch: int) -> Callable[[], Tensor]:
    """A function that gives the next batch of an endless training in random order."""
    batches = endless(images, batch)
    return lambda: feed.batch(*next(batches))


def endless(images: int, batch: int) -> Iterator[tuple[np.ndarray, int]]:
    generator, epoch = np.random.default_rng(0), 0
    while True:
        order = generator.permutation(images)
        for start in range(0, images - batch + 1, batch):
            yield order[start : start + batch], epoch
        epoch += 1


def trainer(model: nn.Module, targets: Tensor, precision: str) -> Callable[[Tensor], None]:
    """One step of SGD with momentum on a batch; nothing in it waits for the device."""
    device = targets.device
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, foreach=True)

    def step(images: Tensor) -> None:
        with torch.autocast(device.type, torch.bfloat16) if precision == "bf16" else nullcontext():
            loss = functional.cross_entropy(model(images), targets)
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        optimizer.step()

    return step


def compilations(quick: bool) -> dict[str, Callable[[nn.Module], Any]]:
    compiled: dict[str, Callable[[nn.Module], Any]] = {
        "compile": torch.compile,
        "compile, reduce-overhead": lambda model: torch.compile(model, mode="reduce-overhead"),
    }
    return {"eager": lambda model: model} | ({} if quick else compiled)


def small_training(sizes: Sizes, device: torch.device, quick: bool) -> Table:
    """ResNet-20 on images of CIFAR-10's size."""
    array = random_images(sizes.small_images, (32, 32))
    windows = window_plan(plan_of(SMALL, (32, 32)))
    assert windows is not None
    feed = DeviceWindowFeed(array, windows, device)
    lines = [
        "## ResNet-20 on 32x32 images, bf16 autocast, SGD",
        "",
        "| batch | network | fed, images/s | one batch on the device, images/s | step time, fed / on the device |",
        "|---|---|---|---|---|",
    ]
    for batch in sizes.small_batches:
        for name, compiled in compilations(quick).items():
            torch.manual_seed(0)
            model = resnet20_cifar(10).to(device, memory_format=torch.channels_last)
            step = trainer(compiled(model), torch.randint(10, (batch,), device=device), "bf16")
            lines.append(_fed_row(batch, name, step, from_feed(feed, len(array), batch), sizes, device))
    return [*lines, ""]


def _fed_row(
    batch: int,
    name: str,
    step: Callable[[Tensor], None],
    following: Callable[[], Tensor],
    sizes: Sizes,
    device: torch.device,
) -> str:
    resident = following()
    seconds = in_turns({"fed": lambda: step(following()), "resident": lambda: step(resident)}, sizes, device)
    fed, alone = seconds["fed"], seconds["resident"]
    return f"| {batch} | {name} | {batch / fed:,.0f} | {batch / alone:,.0f} | {fed / alone:.3f} |"


def feed_rows(
    title: str,
    feeds: dict[str, Feed],
    images: int,
    batches: tuple[int, ...],
    bytes_each: int,
    sizes: Sizes,
    device: torch.device,
) -> Table:
    """Feeds alone, beside a copy that moves as many bytes as they have to."""
    lines = [
        f"## {title}",
        "",
        f"Each image has to move at least {bytes_each:,} bytes (uint8 pixels of the result read, float32 written).",
        "",
        "| batch | feed | images/s | GB/s | GB/s of a copy | time / time of the copy |",
        "|---|---|---|---|---|---|",
    ]
    for batch in batches:
        half = torch.randint(256, (batch * bytes_each // 2,), dtype=torch.uint8, device=device)
        variants: dict[str, Callable[[], object]] = {"copy": half.clone}
        variants |= {name: from_feed(feed, images, batch) for name, feed in feeds.items()}
        seconds = in_turns(variants, sizes, device)
        moved, copy = batch * bytes_each / 1e9, seconds.pop("copy")
        lines += [
            f"| {batch} | {name} | {batch / each:,.0f} | {moved / each:.0f} | {moved / copy:.0f} | {each / copy:.2f} |"
            for name, each in seconds.items()
        ]
    return [*lines, ""]


def window_feed(sizes: Sizes, device: torch.device) -> Table:
    array = random_images(sizes.small_images, (32, 32))
    windows = window_plan(plan_of(SMALL, (32, 32)))
    assert windows is not None
    feeds: dict[str, Feed] = {"float32": DeviceWindowFeed(array, windows, device)}
    batches = (*sizes.small_batches, sizes.small_images // 2)
    title = "Windows of 32x32 images: crop with padding, flip, normalise"
    return feed_rows(title, feeds, len(array), batches, 32 * 32 * 3 * 5, sizes, device)


def photo_feed(sizes: Sizes, device: torch.device, quick: bool) -> Table:
    array = random_images(sizes.photos, sizes.photo_size)
    plan = plan_of(heavy(sizes.output), sizes.photo_size)
    feeds: dict[str, Feed] = {"eager": DeviceFeed(array, plan, device)}
    if not quick:
        feeds["compile"] = DeviceFeed(array, plan, device, sampler=torch.compile(sample, dynamic=True))
    title = f"Photos {sizes.photo_size} to {sizes.output} px: window, flip, rotation, perspective, colour, normalise"
    bytes_each = sizes.output**2 * 3 * 5
    return feed_rows(title, feeds, len(array), (sizes.photo_batch,), bytes_each, sizes, device)


def network_steps(sizes: Sizes, device: torch.device, quick: bool) -> Table:
    """ResNet-50 on one batch that lies on the device."""
    from torchvision.models import resnet50

    batch, side = sizes.network_batch, sizes.output
    images = torch.rand(batch, 3, side, side, device=device).contiguous(memory_format=torch.channels_last)
    targets = torch.randint(1000, (batch,), device=device)
    lines = [f"## ResNet-50 at {side} px, batch {batch}", "", "| precision | network | images/s |", "|---|---|---|"]
    for precision in ("fp32", "TF32", "bf16"):
        with tf32(precision == "TF32"):
            for name, compiled in compilations(quick).items():
                torch.manual_seed(0)
                model = resnet50().to(device, memory_format=torch.channels_last)
                step = trainer(compiled(model), targets, precision)
                seconds = in_turns({name: partial(step, images)}, sizes, device)[name]
                lines.append(f"| {precision} | {name} | {batch / seconds:,.0f} |")
    return [*lines, ""]


class tf32:
    """Within it, fp32 matrices and convolutions are multiplied in TF32, or not."""

    def __init__(self, allowed: bool) -> None:
        self._allowed = allowed

    def __enter__(self) -> None:
        self._before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
        torch.set_float32_matmul_precision("high" if self._allowed else "highest")
        torch.backends.cudnn.allow_tf32 = self._allowed

    def __exit__(self, *_: object) -> None:
        precision, convolutions = self._before
        torch.set_float32_matmul_precision(precision)
        torch.backends.cudnn.allow_tf32 = convolutions


def heading(device: torch.device, now: datetime) -> Table:
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor() or platform.machine()
    versions = f"Python {platform.python_version()}, torch {torch.__version__}, CUDA {torch.version.cuda}"
    return [f"# On a GPU, {now:%Y-%m-%d}", "", f"{name}; {versions}, numpy {np.__version__}.", ""]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args(arguments)
    device = torch.device(options.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        print(
            "benchmarks/gpu.py measures a CUDA device, and torch finds none; "
            "--device cpu --quick tries it out on a CPU.",
            file=sys.stderr,
        )
        return 2
    torch.backends.cudnn.benchmark = True
    sizes, now = (QUICK if options.quick else FULL), datetime.now(UTC)
    lines = heading(device, now)
    parts = (
        lambda: small_training(sizes, device, options.quick),
        lambda: window_feed(sizes, device),
        lambda: photo_feed(sizes, device, options.quick),
        lambda: network_steps(sizes, device, options.quick),
    )
    options.out.mkdir(parents=True, exist_ok=True)
    file = options.out / f"{now:%Y-%m-%d}_gpu.md"
    for part in parts:
        lines += part()
        # After each part, so that what was measured is kept if a later one fails.
        file.write_text("\n".join(lines), encoding="utf-8")
    print(file.read_text())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
