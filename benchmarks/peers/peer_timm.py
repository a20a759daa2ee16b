"""timm's dataset, transforms and loader (prefetcher off on a CPU) and its loop's parts at their defaults."""

import time
from collections.abc import Iterable
from pathlib import Path

import torch
from measure import Job, endless, figures, repeat, run_job
from timm.data import create_dataset, create_loader, create_transform
from timm.optim import create_optimizer_v2
from timm.scheduler import create_scheduler_v2
from timm.utils import AverageMeter
from torch import nn
from torch.utils.data import DataLoader
from torch_parts import WORKERS, make_model, warm_up_batches, warps
from torchvision import transforms


def make_timm_loader(job: Job) -> DataLoader:
    """timm's own transforms; rotation and perspective, for which it has no argument, go between its first two parts."""
    size = job["image_size"]
    dataset = create_dataset("", root=str(Path(job["data"]) / "train"), is_training=True)
    loader = create_loader(
        dataset,
        (3, size, size),
        job["batch_size"],
        is_training=True,
        color_jitter=0.2,
        use_prefetcher=False,
        num_workers=WORKERS,
        device=torch.device("cpu"),
    )
    first, colour, last = create_transform(size, is_training=True, color_jitter=0.2, separate=True)
    dataset.transform = transforms.Compose([first, *warps(), colour, last])
    return loader


def pipeline(job: Job) -> dict[str, float]:
    batches = endless(make_timm_loader(job))
    return repeat(lambda: len(next(batches)[0]), job["seconds"])


def train_one_epoch(model: nn.Module, batches: Iterable[list[torch.Tensor]]) -> int:
    """timm's loop: mean loss, and a schedule that moves every update."""
    optimizer = create_optimizer_v2(model, opt="sgd", lr=0.01, momentum=0.9, weight_decay=2e-5)
    schedule, _ = create_scheduler_v2(optimizer, sched="cosine", num_epochs=300)
    criterion, losses = nn.CrossEntropyLoss(), AverageMeter()
    model.train()
    for update, (images, targets) in enumerate(batches, 1):
        optimizer.zero_grad()
        loss = criterion(model(images), targets)
        loss.backward()
        optimizer.step()
        losses.update(loss.item(), images.size(0))
        schedule.step_update(num_updates=update, metric=losses.avg)
    return losses.count


def epoch(job: Job) -> dict[str, float]:
    loader, model = make_timm_loader(job), make_model(job)
    train_one_epoch(model, warm_up_batches(loader))
    begin = time.perf_counter()
    return figures(train_one_epoch(model, loader), time.perf_counter() - begin)


if __name__ == "__main__":
    run_job({"pipeline": pipeline, "epoch": epoch})
