"""A bare PyTorch loop over the digits with Vernier's network: what a step costs without any tool around it."""

import time

import torch
from measure import Job, run_job, window_median
from sklearn.datasets import load_digits
from torch import nn

from vernier.models.zoo.digits_cnn import digits_cnn


def overhead(job: Job) -> dict[str, float]:
    """Seconds of one step, batch indexing included: by windows of epochs after the first two."""
    torch.set_num_threads(1)
    images = torch.from_numpy(load_digits().images).float()[: job["images"], None] / 16
    targets = torch.from_numpy(load_digits().target).long()[: job["images"]]
    model = digits_cnn(10)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    return window_median([_epoch(model, optimizer, images, targets, job["batch_size"]) for _ in range(job["epochs"])])


def _epoch(
    model: nn.Module, optimizer: torch.optim.Optimizer, images: torch.Tensor, targets: torch.Tensor, batch_size: int
) -> float:
    model.train()
    begin = time.perf_counter()
    batches = torch.randperm(len(images)).split(batch_size)
    for batch in batches:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(images[batch]), targets[batch]).backward()
        optimizer.step()
    return (time.perf_counter() - begin) / len(batches)


if __name__ == "__main__":
    run_job({"overhead": overhead})
