"""torchvision's DataLoader with PIL transforms (`torchvision.transforms`, v1) and a plain PyTorch loop: NCHW, fp32."""

import time
from collections.abc import Iterable
from pathlib import Path

import torch
from measure import Job, endless, figures, repeat, run_job
from torch import nn
from torch.utils.data import DataLoader
from torch_parts import ArrayDataset, decoded, heavy_list, make_loader, make_model, small_list, warm_up_batches
from torchvision import transforms
from torchvision.datasets import ImageFolder


def make_sgd(model: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)


def train(model: nn.Module, optimizer: torch.optim.Optimizer, batches: Iterable[list[torch.Tensor]]) -> int:
    """Train on some batches; returns their images."""
    criterion = nn.CrossEntropyLoss()
    model.train()
    count = 0
    for images, targets in batches:
        optimizer.zero_grad()
        criterion(model(images), targets).backward()
        optimizer.step()
        count += len(images)
    return count


def step(job: Job) -> dict[str, float]:
    size, count = job["image_size"], job["batch_size"]
    batch = [torch.randn(count, 3, size, size), torch.randint(0, 5, (count,))]
    model = make_model(job)
    optimizer = make_sgd(model)
    return repeat(lambda: train(model, optimizer, [batch]), job["seconds"])


def pipeline(job: Job) -> dict[str, float]:
    batches = endless(_loader(job))
    return repeat(lambda: len(next(batches)[0]), job["seconds"])


def _loader(job: Job) -> DataLoader:
    if job["list"] == "heavy":
        return make_loader(ImageFolder(Path(job["data"]) / "train", heavy_list(job["image_size"])), job["batch_size"])
    images = decoded(Path(job["data"]) / "train", Path(job["work"]) / "cifar10.npy")
    return make_loader(ArrayDataset(images, small_list(job["image_size"])), job["batch_size"])


def epoch(job: Job) -> dict[str, float]:
    loader, model = _loader(job), make_model(job)
    optimizer = make_sgd(model)
    train(model, optimizer, warm_up_batches(loader))
    begin = time.perf_counter()
    return figures(train(model, optimizer, loader), time.perf_counter() - begin)


def accuracy(job: Job) -> dict[str, float]:
    """Fine-tune from the given weights until the validation accuracy reaches the target."""
    loader, validation = _half_range_loaders(job)
    model = _pretrained(job)
    optimizer = torch.optim.AdamW(model.parameters(), lr=job["lr"])
    for number in range(1, job["epochs"] + 1):
        train(model, optimizer, loader)
        reached = _accuracy(model, validation)
        if reached >= job["target"]:
            return {"seconds": time.time() - job["started"], "accuracy": reached, "n": number}
    raise SystemExit(f"accuracy {reached:.4f} after {job['epochs']} epochs, {job['target']} not reached")


def _half_range_loaders(job: Job) -> tuple[DataLoader, DataLoader]:
    end = [transforms.ToTensor(), transforms.Normalize((0.5,) * 3, (0.5,) * 3)]
    augment = [transforms.RandomResizedCrop(224, scale=(0.5, 1)), transforms.RandomHorizontalFlip(), *end]
    fixed = [transforms.Resize(256), transforms.CenterCrop(224), *end]
    data, size = Path(job["data"]), job["batch_size"]
    training = ImageFolder(data / "train", transforms.Compose(augment))
    validation = ImageFolder(data / "val", transforms.Compose(fixed))
    return make_loader(training, size), DataLoader(validation, batch_size=size, num_workers=2)


def _pretrained(job: Job) -> nn.Module:
    import timm
    from safetensors.torch import load_file

    weights = {name: value for name, value in load_file(job["weights"]).items() if not name.startswith("classifier.")}
    model = timm.create_model(job["model"], num_classes=5, pad_type="same")
    model.load_state_dict(weights, strict=False)
    nn.init.zeros_(model.classifier.weight)
    return model


@torch.no_grad()
def _accuracy(model: nn.Module, loader: DataLoader) -> float:
    model.eval()
    right = [(model(images).argmax(1) == targets).float() for images, targets in loader]
    return float(torch.cat(right).mean())


if __name__ == "__main__":
    run_job({"step": step, "pipeline": pipeline, "epoch": epoch, "accuracy": accuracy})
